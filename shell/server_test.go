package shell

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/store"
)

// house is a server whose `status` says a great deal, and tells when it is asked.
type house struct {
	socket  string
	records *store.Store
	asked   chan struct{}
	stop    context.CancelFunc
	ended   chan error
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{socket: filepath.Join(t.TempDir(), "s"), asked: make(chan struct{}, 8), ended: make(chan error, 1)}
	var err error
	if h.records, err = store.Open(context.Background(), filepath.Join(t.TempDir(), "db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.records.Close() })
	long := strings.Repeat("word ", 1<<20)
	commands := command.New(command.Services{Records: h.records, Health: []command.Check{{Part: "novel", Look: func(context.Context) command.Finding {
		h.asked <- struct{}{}
		return command.Finding{Mark: command.Well, Fact: long}
	}}}})
	log := logrus.New()
	log.SetOutput(io.Discard)
	server, err := Listen(h.socket, commands, h.records, logrus.NewEntry(log))
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, h.stop = context.WithCancel(context.Background())
	go func() { h.ended <- server.Run(ctx) }()
	t.Cleanup(h.stop)
	return h
}

func (h *house) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", h.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Neither a shell that says nothing, nor one that reads nothing, nor one that
// sits before a question keeps the program from ending.
func TestShellsThatDoNothingDoNotHoldUpTheEnd(t *testing.T) {
	h := newHouse(t)
	h.dial(t)
	stalled := h.dial(t)
	if err := (&lines{out: stalled}).write(request{Args: []string{"status"}}); err != nil {
		t.Fatal(err)
	}
	<-h.asked
	h.stop()
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
}

func TestLongAnswersArriveWhole(t *testing.T) {
	h := newHouse(t)
	var out bytes.Buffer
	if err := Ask(context.Background(), h.socket, []string{"status"}, Terminal{In: strings.NewReader(""), Out: &out, Err: io.Discard}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "word"); got != 1<<20 {
		t.Errorf("%d words arrived", got)
	}
}

// What was typed behind a setting may be a secret: the journal does not keep it.
func TestJournalKeepsNoSecrets(t *testing.T) {
	h := newHouse(t)
	conn := h.dial(t)
	if err := (&lines{out: conn}).write(request{Args: []string{"agnt", "mox", "set", "token", "hush"}}); err != nil {
		t.Fatal(err)
	}
	var said message
	if err := json.NewDecoder(bufio.NewReader(conn)).Decode(&said); err != nil || said.Kind != failedKind {
		t.Fatalf("%+v %v", said, err)
	}
	var line string
	row := h.records.DB.QueryRow(context.Background(), "SELECT line FROM fraktalia_journal")
	if err := row.Scan(&line); err != nil || line != "!agnt …" {
		t.Errorf("the journal has %q, %v", line, err)
	}
}

// Ctrl-C at a question ends the shell's command, though nothing is typed.
func TestQuestionCanBeLeft(t *testing.T) {
	in, typing := io.Pipe()
	defer typing.Close()
	ctx, cancel := context.WithCancel(context.Background())
	s := &screen{Terminal: Terminal{Out: io.Discard, Err: io.Discard}, typed: bufio.NewReader(in)}
	cancel()
	done, err := s.show(ctx, message{Kind: askKind, Text: "Really?"}, &lines{out: io.Discard})
	var failed *Failed
	if !done || !errors.As(err, &failed) {
		t.Errorf("%v %v", done, err)
	}
}
