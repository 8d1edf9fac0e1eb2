package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// mostSilence is how long a build may say nothing, in seconds.
	mostSilence = 5
	// mostMemory is what the program may take at most, in MB.
	mostMemory = 60
)

// silence builds all anew in the room, and looks for the longest time between
// two edits of the answer, by the homeserver's clock.
func (b *bench) silence(ctx context.Context) error {
	owner, err := b.Owner(ctx)
	if err != nil {
		return err
	}
	defer owner.Close()
	if _, err := owner.Sign(ctx); err != nil {
		return err
	}
	admin, err := owner.Enter(ctx, b.AdminRoom, b.BotUserID)
	if err != nil {
		return err
	}
	turn, err := admin.Say(ctx, "!rebuild-sandbox --profile chat --no-cache")
	if err != nil {
		return err
	}
	out, err := turn.Final(ctx)
	if err != nil {
		return err
	}
	if !out.OK || len(out.Replies) == 0 {
		return fmt.Errorf("the build in the room: %s", out.Body)
	}
	last, longest := out.Replies[0].Sent, time.Duration(0)
	for _, edit := range out.Replies[0].Edits {
		longest, last = max(longest, edit.Sent.Sub(last)), edit.Sent
	}
	line("silence_longest_s", longest.Seconds(), "limit", mostSilence)
	return nil
}

// longLog builds a Dockerfile whose one step writes 100 MB. The classic builder
// is the one that passes all of it on, and a limit of memory brings it in.
func (b *bench) longLog(ctx context.Context) error {
	text := "# No texlive here: the word has the classic builder taken.\nFROM " + b.image + "\nRUN yes " + string(bytes.Repeat([]byte("x"), 999)) + " | head -c 100000000\n"
	own := filepath.Join(b.dir, "own")
	if err := errors.Join(os.MkdirAll(own, 0o755), os.WriteFile(filepath.Join(own, "Dockerfile"), []byte(text), 0o644)); err != nil {
		return err
	}
	if err := b.restart(ctx, `dockerfile: ""`, "dockerfile: "+filepath.Join(own, "Dockerfile")); err != nil {
		return err
	}
	status := fmt.Sprintf("/proc/%d/", b.Process.PID())
	if err := os.WriteFile(status+"clear_refs", []byte("5"), 0); err != nil {
		return fmt.Errorf("reset the peak of the program's memory: %w", err)
	}
	if _, err := b.say(ctx, "rebuild-sandbox", "--anyway", "--memory", "1g"); err != nil {
		return err
	}
	said, err := os.ReadFile(status + "status")
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(said, []byte("VmHWM:"))
	var peak float64
	if _, err := fmt.Sscan(string(rest), &peak); err != nil {
		return fmt.Errorf("read VmHWM: %w", err)
	}
	line("log_100mb_peak_mb", peak*1024/1e6, "limit", mostMemory)
	return nil
}
