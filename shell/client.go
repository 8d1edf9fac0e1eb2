package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Terminal is where the client shows what it gets.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	// Interactive says that Err is a terminal on which progress can be
	// overwritten.
	Interactive bool
}

// Failed is the answer of a command that failed: a sentence for people.
type Failed struct {
	Sentence string
	Cause    error // ErrNotRunning, or nil
}

func (f *Failed) Error() string { return f.Sentence }

func (f *Failed) Unwrap() error { return f.Cause }

// ErrUnwell says that the command was answered, and that what the answer tells
// is not well: people have read it already.
var ErrUnwell = errors.New("what was looked at is not well")

// ErrNotRunning says that no program listens on the socket.
var ErrNotRunning = errors.New("fraktalia does not run")

// Ask runs one command line in the program behind the socket. The error is a
// *Failed with the program's own words, or says that it cannot be reached.
func Ask(ctx context.Context, socket string, args []string, terminal Terminal) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return unreachable(socket, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	out := &lines{out: conn}
	if err := out.write(request{Args: args}); err != nil {
		return fmt.Errorf("ask fraktalia: %w", err)
	}
	screen := &screen{Terminal: terminal, typed: bufio.NewReader(terminal.In)}
	in := bufio.NewReader(conn)
	for {
		var said message
		if err := readLine(in, &said); err != nil {
			if ctx.Err() != nil {
				return &Failed{Sentence: "Stopped."}
			}
			return &Failed{Sentence: "Fraktalia ended while it ran this. After its restart the admin room says how it stands."}
		}
		done, err := screen.show(ctx, said, out)
		if done || err != nil {
			return err
		}
	}
}

func unreachable(socket string, err error) *Failed {
	switch {
	case errors.Is(err, syscall.EACCES):
		return &Failed{Sentence: fmt.Sprintf("You may not use %s: it belongs to the user that runs fraktalia. Try sudo.", socket)}
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &Failed{fmt.Sprintf("Fraktalia does not run (nothing listens on %s). Start it with fraktalia up, or name its socket with --socket.", socket), ErrNotRunning}
	}
	return &Failed{Sentence: fmt.Sprintf("Fraktalia cannot be reached: %v.", err)}
}

// screen shows messages.
type screen struct {
	Terminal
	typed    *bufio.Reader
	progress bool // a line of progress stands on the screen
}

func (s *screen) show(ctx context.Context, said message, out *lines) (done bool, err error) {
	if said.Kind != progressKind {
		s.clear()
	}
	switch said.Kind {
	case progressKind:
		s.showProgress(said.Text)
	case secretKind:
		fmt.Fprintln(s.Out, said.Text)
	case fileKind:
		s.takeFile(said, out)
	case askKind:
		return s.ask(ctx, said.Text+"\n[y/N] ", out, func(typed string) answer {
			return answer{Yes: strings.HasPrefix(strings.ToLower(typed), "y")}
		})
	case chooseKind:
		return s.ask(ctx, fmt.Sprintf("%s\n[1-%d] ", said.Text, said.Choices), out, func(typed string) answer {
			number, _ := strconv.Atoi(typed) // what is no number chooses nothing
			return answer{Choice: number}
		})
	case doneKind:
		if said.Text != "" {
			fmt.Fprintln(s.Out, said.Text)
		}
		if said.Unwell {
			return true, ErrUnwell
		}
		return true, nil
	case failedKind:
		return true, &Failed{Sentence: said.Text}
	}
	return false, nil
}

// ask waits for an answer or for Ctrl-C. Nothing can end the read itself: it
// ends with the program.
func (s *screen) ask(ctx context.Context, question string, out *lines, read func(typed string) answer) (done bool, err error) {
	fmt.Fprint(s.Err, question)
	typed := make(chan string, 1)
	go func() {
		line, _ := s.typed.ReadString('\n')
		typed <- line
	}()
	select {
	case line := <-typed:
		// Where the answer comes too late, what is read next says so.
		_ = out.write(read(strings.TrimSpace(line)))
		return false, nil
	case <-ctx.Done():
		fmt.Fprintln(s.Err)
		return true, &Failed{Sentence: "Stopped."}
	}
}

// showProgress overwrites one line on a terminal; elsewhere it says nothing.
func (s *screen) showProgress(text string) {
	if !s.Interactive {
		return
	}
	line, _, _ := strings.Cut(text, "\n")
	fmt.Fprintf(s.Err, "\r\x1b[K%s", line)
	s.progress = true
}

func (s *screen) clear() {
	if s.progress {
		fmt.Fprint(s.Err, "\r\x1b[K")
		s.progress = false
	}
}

// takeFile keeps a file and says whether that went well: the program has no
// other copy.
func (s *screen) takeFile(said message, out *lines) {
	became := kept
	if err := s.keepFile(said); err != nil {
		fmt.Fprintf(s.Err, "%s could not be written here: %v\n", filepath.Base(said.Name), err)
		became = lost
	}
	// Where the program has gone, what is read next says so.
	_ = out.write(answer{File: became})
}

// keepFile writes a file into the current folder, never over another one and
// never outside.
func (s *screen) keepFile(said message) error {
	file, err := newFile(filepath.Base(said.Name))
	if err != nil {
		return err
	}
	_, err = file.Write(said.Data)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	fmt.Fprintf(s.Err, "wrote %s\n", file.Name())
	return nil
}

// mostAlike is how many files of one name there may be in a folder.
const mostAlike = 100

// newFile makes a file of a name, or of that name with a number where there is one.
func newFile(name string) (file *os.File, err error) {
	kind := filepath.Ext(name)
	numbered := name
	for n := 2; n <= mostAlike; n++ {
		file, err = os.OpenFile(numbered, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if !errors.Is(err, os.ErrExist) {
			return file, err
		}
		numbered = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, kind), n, kind)
	}
	return nil, err
}
