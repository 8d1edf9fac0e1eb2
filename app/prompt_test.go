package app

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Ctrl-C at a question ends the program though nothing is typed, and nothing
// is written.
func TestQuestionsCanBeLeft(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fraktalia.yaml")
	in, typing := io.Pipe()
	defer typing.Close()
	said, out := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	status := make(chan int, 1)
	go func() { status <- Main(ctx, "test", []string{"init", "--config", file}, in, io.Discard, out) }()
	if _, err := bufio.NewReader(said).ReadString(':'); err != nil { // the first question
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	cancel()
	if got := <-status; got != 1 {
		t.Errorf("ended with status %d", got)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a configuration was written")
	}
}

func TestSecretsAreMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for _, made := range []string{"first", "second"} {
		if got, err := writeOnce(path, func() string { return made }); got != "first" || err != nil {
			t.Errorf("%q %v", got, err)
		}
	}
	if err := os.WriteFile(path, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := writeOnce(path, func() string { return "third" }); err == nil {
		t.Errorf("an empty file gave %q", got)
	}
}
