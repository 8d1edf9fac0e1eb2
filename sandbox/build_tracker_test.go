package sandbox

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// track replays a recording.
func track(t *testing.T, name string) (*buildTracker, string) {
	t.Helper()
	return trackBytes(t, recording(t, name))
}

func trackBytes(t *testing.T, stream []byte) (*buildTracker, string) {
	t.Helper()
	var log bytes.Buffer
	tracker := newBuildTracker(time.Now(), newBuildLog(&log))
	if err := eachMessage(bytes.NewReader(stream), tracker.take); err != nil {
		t.Fatal(err)
	}
	tracker.finish(time.Now())
	return tracker, log.String()
}

func commands(steps []BuildStep) []string {
	var all []string
	for _, step := range steps {
		all = append(all, step.Command)
	}
	return all
}

const (
	firstRun  = `RUN printf '\033[32mgreen\033[0m\nhalf a line, '; sleep 0.3; echo 'the other half'`
	copyStep  = "COPY --from=tools /etc/hostname /tmp/x"
	secondRun = "RUN echo second stage; exit ${STATUS:-0}"
	failedRun = "RUN echo second stage; exit ${STATUS:-3}"
)

func TestTrackerOnGoodBuilds(t *testing.T) {
	for name, want := range map[string][]string{
		"buildkit-good": {firstRun, copyStep, secondRun},
		"classic-good":  {"ARG BASE", "FROM ${BASE} AS tools", firstRun, "FROM ${BASE}", copyStep, secondRun, "LABEL io.fraktalia.test=rec"},
	} {
		t.Run(name, func(t *testing.T) {
			tracker, log := track(t, name)
			var got []string
			for _, command := range commands(tracker.ended()) {
				if !strings.HasPrefix(command, "FROM docker.io/") { // BuildKit's order of these varies
					got = append(got, command)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("steps\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if !strings.HasPrefix(tracker.image, "sha256:") || tracker.failed != nil {
				t.Errorf("image %q, failed %+v", tracker.image, tracker.failed)
			}
			if !strings.Contains(log, "\ngreen\nhalf a line, the other half\n") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

func TestTrackerOnFailedBuilds(t *testing.T) {
	for name, want := range map[string]BuildError{
		"buildkit-failed": {Step: 4, Steps: 5, Command: failedRun, ExitCode: 3},
		"classic-failed":  {Step: 6, Steps: 7, Command: failedRun, ExitCode: 3},
	} {
		t.Run(name, func(t *testing.T) {
			tracker, log := track(t, name)
			got := tracker.buildError()
			if got.Step != want.Step || got.Steps != want.Steps || got.Command != want.Command || got.ExitCode != want.ExitCode {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if !slices.Equal(got.Tail, []string{"second stage"}) || !strings.Contains(log, "== failed: ") {
				t.Errorf("tail %q, log:\n%s", got.Tail, log)
			}
		})
	}
}

// A stream cut at any line must not pass for a finished build: the classic
// builder names an image at the end of every stage.
func TestTrackerOnCutStreams(t *testing.T) {
	for name, last := range map[string]string{
		"buildkit-good": `"id":"moby.image.id"`,
		"classic-good":  "Successfully built",
	} {
		whole := bytes.SplitAfter(recording(t, name), []byte("\n"))
		end := slices.IndexFunc(whole, func(line []byte) bool { return bytes.Contains(line, []byte(last)) })
		for cut := range end + 1 {
			if tracker, _ := trackBytes(t, bytes.Join(whole[:cut], nil)); tracker.image != "" {
				t.Errorf("%s cut after line %d made image %s", name, cut, tracker.image)
			}
		}
	}
}

func TestAptGauge(t *testing.T) {
	var g aptGauge
	for _, line := range []string{
		"Reading package lists...",
		"1 upgraded, 3 newly installed, 0 to remove and 0 not upgraded.",
		"Get:1 http://mirror.test/debian bookworm/main amd64 jq amd64 1.6 [64 kB]",
		"Unpacking jq (1.6) ...",
		"Setting up jq (1.6) ...",
	} {
		g.read(line)
	}
	if g.done() != 0.25 {
		t.Errorf("done %v of %+v", g.done(), g)
	}
}

func TestPlainLine(t *testing.T) {
	for line, want := range map[string]string{
		"plain":                     "plain",
		"\x1b[91merror\x1b[0m\r":    "error",
		"10%\r 50%\r100%":           "100%",
		"tab\tbell\a nul\x00":       "tab\tbell nul",
		"title\x1b]0;x\a":           "title0;x",
		"cut \x1b[3":                "cut ",
		"bad \xff utf8":             "bad  utf8",
		"\x1b":                      "",
		"colour \x1b[38;5;1mred ü!": "colour red ü!",
	} {
		if got := plainLine(line); got != want {
			t.Errorf("plainLine(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestLinesAreBounded(t *testing.T) {
	var got []string
	var l lines
	take := func(line string) { got = append(got, line) }
	for range 40 {
		l.add(bytes.Repeat([]byte("x"), 1000), take)
	}
	l.add([]byte("\nlast"), take)
	l.end(take)
	if len(got) != 4 || got[3] != "last" || len(got[0]) > longestPiece+1000 {
		t.Errorf("%d lines", len(got))
	}
	if s := shortened(strings.Repeat("ü", longestLine)); len(s) > longestLine+len("…") || strings.ContainsRune(s, '\uFFFD') {
		t.Errorf("shortened to %d bytes", len(s))
	}
}

func TestSiblingTags(t *testing.T) {
	for tag, want := range map[string]string{
		"openclaw-sandbox:bookworm-slim": "openclaw-sandbox:bookworm-slim-candidate",
		"openclaw-sandbox":               "openclaw-sandbox:latest-candidate",
		"host:5000/a/b:c":                "host:5000/a/b:c-candidate",
	} {
		if got, err := CandidateTag(tag); err != nil || got != want {
			t.Errorf("CandidateTag(%q) = %q, %v", tag, got, err)
		}
	}
	for _, tag := range []string{"", "Upper:case", "a b", "x:" + strings.Repeat("y", 125), "x@sha256:" + strings.Repeat("a", 64)} {
		if got, err := CandidateTag(tag); err == nil {
			t.Errorf("CandidateTag(%q) = %q, want an error", tag, got)
		}
	}
}
