package command

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// attachLimit is how long the log of a build may be on its way after the
// program was told to stop.
const attachLimit = 3 * time.Second

// plainLog is the size up to which a log is handed over as it is. A larger one
// is packed: servers take files up to some size only, and logs pack well.
const plainLog = 4 << 20

// attachLog hands over the whole log, however the build ended. One that says
// nothing is not sent.
func (b *building) attachLog(ctx context.Context) error {
	ctx, cancel := Outlast(ctx, attachLimit)
	defer cancel()
	length, err := b.log.Seek(0, io.SeekEnd)
	if err != nil || length == 0 {
		return err
	}
	file := reply.File{Name: "rebuild-sandbox-" + time.Now().Format("2006-01-02-150405") + ".log", Type: "text/plain", Size: length, Body: b.log}
	if length > plainLog {
		packed, err := packedLog(b.log)
		if err != nil {
			return err
		}
		defer os.Remove(packed.Name())
		defer packed.Close()
		if file.Size, err = packed.Seek(0, io.SeekEnd); err != nil {
			return err
		}
		file.Name, file.Type, file.Body = file.Name+".gz", "application/gzip", packed
	}
	if _, err := file.Body.(io.Seeker).Seek(0, io.SeekStart); err != nil {
		return err
	}
	return b.talk.Attach(ctx, file)
}

// packedLog writes a log into a file of its own, compressed.
func packedLog(log *os.File) (packed *os.File, err error) {
	if _, err := log.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if packed, err = os.CreateTemp("", "fraktalia-build-*.log.gz"); err != nil {
		return nil, fmt.Errorf("pack the build's log: %w", err)
	}
	writer := gzip.NewWriter(packed)
	if _, err = io.Copy(writer, log); err == nil {
		err = writer.Close()
	}
	if err != nil {
		packed.Close()
		os.Remove(packed.Name())
		return nil, fmt.Errorf("pack the build's log: %w", err)
	}
	return packed, nil
}

// built tells what was made.
func (b *building) built() reply.Doc {
	cached := 0
	for _, layer := range b.record.Layers {
		if layer.Cached {
			cached++
		}
	}
	text := fmt.Sprintf(" is built: %s in %s%s, %d layers, %d of them cached.", size(b.record.Size), b.record.Duration.Round(time.Second),
		b.expectation(), len(b.record.Layers), cached)
	doc := reply.Doc{reply.P(reply.Mono("%s", b.Settings.Image), text)}
	if cached < len(b.record.Layers) {
		doc = append(doc, layersTable(b.record.Layers))
	}
	if line := tested(b.tested); line != "" {
		doc = append(doc, reply.P(line))
	}
	switch b.base.Origin {
	case sandbox.BaseMade:
		doc = append(doc, reply.P(b.Settings.Base, " could not be pulled, so I made a base from the distribution's packages: ", reply.Mono("%s", b.base.Ref), "."))
	case sandbox.BaseKept:
		doc = append(doc, reply.P("The base is ", reply.Mono("%s", b.base.Ref), ", made here earlier from the distribution's packages."))
	}
	if b.limit > 0 {
		doc = append(doc, reply.P(fmt.Sprintf("What is heavy was built with at most %s of memory.", size(b.limit))))
	}
	if b.unlogged != nil {
		doc = append(doc, reply.P("Its log could not be handed over."))
	}
	if b.result.Replaced != "" {
		doc = append(doc, reply.P(reply.Mono("%srollback-sandbox%s", prompt(b.request), b.onFlag()), " goes back to the image before."))
	}
	return doc
}

func (b *building) expectation() string {
	if b.plan.expected < time.Second {
		return ""
	}
	return fmt.Sprintf(" (expected: %s)", roundly(b.plan.expected))
}

func layersTable(layers []store.BuildLayer) reply.Table {
	table := reply.Table{Head: []string{"layer", "time", "size"}}
	for _, layer := range layers {
		took, grown := "cached", ""
		if !layer.Cached {
			took = layer.Duration.Round(100 * time.Millisecond).String()
		}
		if layer.Size > 0 {
			grown = size(layer.Size)
		}
		table.Rows = append(table.Rows, []any{layer.Name, took, grown})
	}
	return table
}

// tested lists what answered, with its version.
func tested(answers []sandbox.Answer) string {
	var well, not []string
	told := map[string]bool{}
	for _, a := range answers {
		name := a.Name
		if _, program, ok := strings.Cut(a.Name, ": "); ok {
			name, _, _ = strings.Cut(program, " ")
		}
		if told[name] {
			continue
		}
		told[name] = true
		switch {
		case a.ExitCode != 0:
			not = append(not, name)
		default:
			well = append(well, strings.TrimSpace(name+" "+versionIn(a.Output)))
		}
	}
	if len(well) == 0 {
		return ""
	}
	text := "Tested: " + strings.Join(well, ", ") + "."
	if len(not) > 0 {
		text += " ⚠️ Did not answer: " + listed(not) + "."
	}
	return text
}

// versionIn finds the first word with a digit and a dot, as versions have.
func versionIn(text string) string {
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" ,;()", c) }) {
		if strings.Contains(word, ".") && strings.ContainsAny(word, "0123456789") && !strings.Contains(word, "/") {
			return word
		}
	}
	return ""
}
