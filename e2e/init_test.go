package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
)

// `fraktalia init` asks, checks every answer against the live server, asks
// again where it is wrong, and writes a file with which `fraktalia run` runs.
func TestInitAsksUntilTheAnswersAreRight(t *testing.T) {
	ctx := patient(t)
	s := newSolo(t, "init")
	text, err := os.ReadFile(filepath.Join(s.DataDir, "secrets", "synapse-registration"))
	must(t, err)
	secret := strings.TrimSpace(string(text))
	accounts := homeserver.NewSynapse(homeserver.NewClient(s.Homeserver, nil), homeserver.Secret(secret), "")
	_, err = accounts.Register(ctx, homeserver.Account{Localpart: "second", Password: "correct horse"})
	must(t, err)

	file := filepath.Join(t.TempDir(), "fraktalia.yaml")
	typed := strings.Join([]string{
		"http://127.0.0.1:1", s.Homeserver, // nobody answers at the first
		"@second:fraktalia.test", "wrong", "@second:fraktalia.test", "correct horse",
		"mila", string(s.Ready.Owner.UserID), // the first is no account id
		"not the secret", secret,
	}, "\n") + "\n"
	out, said, err := s.Shell(ctx, strings.NewReader(typed), "init", "--config", file)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, said)
	}
	for _, want := range []string{"No homeserver answers there", "refuses that name or password", "no account id", "another secret", "Wrote " + file} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if strings.Contains(out+said, "correct horse") || strings.Contains(out+said, secret) {
		t.Error("a secret was shown")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if _, said, err := s.Shell(ctx, strings.NewReader(""), "init", "--config", file); err == nil || !strings.Contains(said, "is there already") {
		t.Errorf("an existing file: %v %s", err, said)
	}
	runs(t, s, file)
}

// runs starts the bot with a configuration and waits until it obeys.
func runs(t *testing.T, s *solo, file string) {
	t.Helper()
	ctx := within(t)
	bot := exec.CommandContext(ctx, s.Binary, "run", "--config", file)
	bot.Env = append(os.Environ(), s.Env...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	must(t, err)
	defer log.Close()
	bot.Stderr = log
	must(t, bot.Start())
	defer func() {
		must(t, bot.Process.Signal(os.Interrupt))
		var failed *exec.ExitError
		if err := bot.Wait(); errors.As(err, &failed) {
			t.Errorf("it did not stop well: %v", err)
		}
	}()
	for {
		said, err := os.ReadFile(log.Name())
		must(t, err)
		if bytes.Contains(said, []byte("ready: @second:fraktalia.test obeys")) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the bot does not get ready:\n%s", said)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
