package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// The limits, for the figures that have no peer.
const (
	commands      = 250
	residentLimit = 40   // MB
	readyLimit    = 1000 // ms
)

var residentLine = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// resident is the bot's memory after it has run 250 commands.
func resident(ctx context.Context, d *harness.Deployment, admin *client.Room) error {
	for i := range commands {
		if _, err := ask(ctx, admin, []string{"!help", "!forwards", "!status"}[i%3]); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.Process.PID()))
	if err != nil {
		return fmt.Errorf("memory of the bot: %w", err)
	}
	found := residentLine.FindSubmatch(text)
	if found == nil {
		return fmt.Errorf("memory of the bot: no VmRSS in %s", text)
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		return err
	}
	line("bot", "resident_mb", float64(kib)/1000*1.024, "limit", residentLimit)
	return nil
}

// ready is the time from the start of the process to when the bot obeys, on a
// homeserver that runs; the middle one of seven starts.
func ready(ctx context.Context, d *harness.Deployment) error {
	var times []time.Duration
	for range 7 {
		if err := d.Process.Stop(ctx); err != nil {
			return err
		}
		start := time.Now()
		if err := d.Run(d.Binary); err != nil {
			return err
		}
		if err := d.WaitReady(ctx); err != nil {
			return err
		}
		times = append(times, time.Since(start))
	}
	line("bot", "ready_ms", quantile(times, 50), "limit", readyLimit)
	return nil
}
