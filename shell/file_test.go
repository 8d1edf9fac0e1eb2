package shell

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/reply"
)

// connected are both ends of a shell.
func connected(t *testing.T) *talk {
	t.Helper()
	fromServer, toClient := io.Pipe()
	fromClient, toServer := io.Pipe()
	talk := &talk{out: &lines{out: toClient}, answers: make(chan answer, 1), fates: make(chan fate, 1)}
	go talk.listen(bufio.NewReader(fromClient), func() {})
	go func() {
		s := &screen{Terminal: Terminal{Out: io.Discard, Err: io.Discard}, typed: bufio.NewReader(strings.NewReader("y\n"))}
		in, out := bufio.NewReader(fromServer), &lines{out: toServer}
		var said message
		for readLine(in, &said) == nil {
			_, _ = s.show(context.Background(), said, out)
			said = message{}
		}
	}()
	t.Cleanup(func() { toClient.Close(); toServer.Close() })
	return talk
}

func handOver(t *testing.T, talk *talk, text string) error {
	t.Helper()
	return talk.Attach(t.Context(), reply.File{Name: "joining-cards.html", Body: strings.NewReader(text)})
}

// A file never takes the place of another, and one that cannot be written is no
// file that was handed over: what is in it is nowhere else.
func TestFilesAreKeptOrItIsSaid(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	talk := connected(t)
	for _, text := range []string{"alice", "bob", "carol"} {
		if err := handOver(t, talk, text); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"joining-cards.html": "alice", "joining-cards-2.html": "bob", "joining-cards-3.html": "carol"} {
		if text, err := os.ReadFile(name); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := handOver(t, talk, "dave"); err == nil {
		t.Error("a file that cannot be written was handed over")
	}
	// What became of a file is no answer to a question.
	if yes, err := talk.Ask(t.Context(), reply.Say("Really?")); err != nil || !yes {
		t.Errorf("asked after that: %v, %v", yes, err)
	}
}
