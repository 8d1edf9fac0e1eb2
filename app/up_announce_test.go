package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/harness"
)

// The owner's first password is shown to who sits at a terminal. A file, a pipe
// or systemd's journal, which others read, is told where it lies.
func TestTheFirstPasswordIsForTerminals(t *testing.T) {
	const password = "correct-horse"
	secret := password
	a := announcement{DataDir: "/home/mila/f", Owner: owner{UserID: "@mila:home", Password: &secret}}
	master, slave, err := harness.OpenTerminal()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	a.print(slave)
	slave.Close()
	if shown := readAll(master); !strings.Contains(shown, password) {
		t.Errorf("the terminal shows no password:\n%s", shown)
	}
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	a.print(file)
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), password) || !strings.Contains(string(text), firstPasswordFile(a.DataDir)) {
		t.Errorf("%v: the file has\n%s", err, text)
	}
}

// readAll reads what a terminal shows until its other end is closed, which is an
// error to who reads.
func readAll(master *os.File) string {
	var all strings.Builder
	_, _ = master.WriteTo(&all)
	return all.String()
}
