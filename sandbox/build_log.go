package sandbox

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	tailLines    = 40       // of a failed step, for a person to read
	longestLine  = 500      // bytes of a line that Progress and Tail keep
	longestPiece = 16 << 10 // bytes of a line without an end before it is cut
)

// buildLog writes the log that people get as a file: a heading when another
// step speaks, then its lines. Its first write error ends the log, not the
// build.
type buildLog struct {
	to      *bufio.Writer
	speaker *buildStep
	err     error
}

func newBuildLog(to io.Writer) *buildLog {
	if to == nil {
		to = io.Discard
	}
	return &buildLog{to: bufio.NewWriterSize(to, 32<<10)}
}

// heading names the step whose lines follow.
func (l *buildLog) heading(step *buildStep) {
	if l.speaker == step {
		return
	}
	l.speaker = step
	l.line("\n== " + step.title())
}

func (l *buildLog) line(text string) {
	if l.err != nil {
		return
	}
	if _, l.err = l.to.WriteString(text); l.err == nil {
		l.err = l.to.WriteByte('\n')
	}
}

// flush hands on what is held back, so that the file can be read meanwhile.
func (l *buildLog) flush() {
	if l.err == nil {
		l.err = l.to.Flush()
	}
}

// lines cuts a stream of pieces into lines. What has no end yet waits for the
// next piece, but not for ever.
type lines struct{ rest []byte }

// add hands each whole line to take, without its end.
func (l *lines) add(piece []byte, take func(string)) {
	for len(piece) > 0 {
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			break
		}
		take(string(append(l.rest, piece[:end]...)))
		l.rest, piece = l.rest[:0], piece[end+1:]
	}
	l.rest = append(l.rest, piece...)
	if len(l.rest) > longestPiece {
		l.end(take)
	}
}

// end hands over what is left.
func (l *lines) end(take func(string)) {
	if len(l.rest) > 0 {
		take(string(l.rest))
		l.rest = l.rest[:0]
	}
}

// tail keeps the last lines it was given.
type tail struct {
	kept []string
	next int
}

func (t *tail) add(line string) {
	if len(t.kept) < tailLines {
		t.kept = append(t.kept, line)
		return
	}
	t.kept[t.next] = line
	t.next = (t.next + 1) % tailLines
}

// all returns the lines, oldest first.
func (t *tail) all() []string {
	return append(append([]string(nil), t.kept[t.next:]...), t.kept[:t.next]...)
}

// plainLine makes a line of a terminal fit for a text: of what a progress bar
// wrote over itself the last state stays, colours and control characters go.
func plainLine(line string) string {
	line = strings.TrimRight(line, "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	if strings.IndexFunc(line, unprintable) < 0 {
		return line
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return -1
		}
		return r
	}, withoutEscapes(line))
}

// oneLine makes an instruction that was written over several lines fit for
// one: the builders leave the indentation in.
func oneLine(instruction string) string {
	return strings.Join(strings.Fields(plainLine(instruction)), " ")
}

func unprintable(r rune) bool {
	return r == utf8.RuneError || r != '\t' && unicode.IsControl(r)
}

// withoutEscapes drops the terminal's control sequences: ESC [ up to a letter,
// or ESC and one character.
func withoutEscapes(line string) string {
	var kept strings.Builder
	for {
		before, after, found := strings.Cut(line, "\x1b")
		kept.WriteString(before)
		if !found {
			return kept.String()
		}
		line = after
		if strings.HasPrefix(line, "[") {
			end := strings.IndexFunc(line[1:], func(r rune) bool { return r >= '@' && r <= '~' })
			line = line[end+1:]
			if end < 0 {
				return kept.String()
			}
		}
		if line != "" {
			line = line[1:]
		}
	}
}

// shortened cuts a line for Progress and Tail, at a rune's border.
func shortened(line string) string {
	if len(line) <= longestLine {
		return line
	}
	cut := longestLine
	for !utf8.RuneStart(line[cut]) {
		cut--
	}
	return line[:cut] + "…"
}
