package command

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

// barWidth is the length of a progress bar in characters.
const barWidth = 20

// sayEvery is how often something is said of what says nothing itself.
const sayEvery = time.Second

// progress shows where a build stands, by the names of its layers, and what it
// was going to do.
func (p *plan) progress(what string, now sandbox.Progress) reply.Doc {
	if i := p.of(now.Name, -1); i >= 0 {
		layer := p.layers[i]
		now.Name = layer.Name + ": " + layer.About
	}
	return append(buildProgress(what, now, p.expected), reply.P(sentenceCase(p.sentence())))
}

func buildProgress(what string, p sandbox.Progress, expected time.Duration) reply.Doc {
	done := min(max(p.Percent, 0), 100) * barWidth / 100
	head := fmt.Sprintf("%s  %s%s %d %%", what, strings.Repeat("█", done), strings.Repeat("░", barWidth-done), p.Percent)
	if p.Steps > 0 {
		head += fmt.Sprintf(", step %d of %d", p.Step, p.Steps)
	}
	head += ", " + p.Elapsed.Round(time.Second).String() + ofAbout(p.Elapsed, expected)
	doc := reply.Doc{reply.P(head)}
	if p.Name != "" || p.Line != "" {
		doc = append(doc, reply.Code{Text: strings.TrimSpace(shorten(p.Name, 100) + "\n" + shorten(p.Line, 100))})
	}
	return doc
}

// ofAbout tells how long it should take, and when that was wrong.
func ofAbout(elapsed, expected time.Duration) string {
	switch {
	case expected < time.Second:
		return ""
	case elapsed > expected+expected/4:
		return fmt.Sprintf(" (about %s were expected)", roundly(expected))
	}
	return " of about " + roundly(expected)
}

// roundly is a time as people say it.
func roundly(d time.Duration) string {
	if d > time.Minute {
		return d.Round(5 * time.Second).String()
	}
	return d.Round(time.Second).String()
}

// waiting says what is done and for how long, until stop is called.
func (r *run) waiting(what string) (stop func()) {
	begun, done := time.Now(), make(chan struct{})
	var told sync.WaitGroup
	r.talk.Update(reply.Sayf("%s …", what))
	told.Go(func() {
		ticker := time.NewTicker(sayEvery)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				r.talk.Update(reply.Sayf("%s … %s", what, time.Since(begun).Round(time.Second)))
			}
		}
	})
	return func() { close(done); told.Wait() }
}

func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
