package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

// ReadyPatience is how long a program has from its start to its first answer; a
// first start makes the database.
const ReadyPatience = 2 * time.Minute

const (
	stopPatience = 5 * time.Second // SIGTERM to SIGKILL; with the bot's 4 s before it under 10 s
	firstPause   = time.Second     // before the first restart; doubled each time
	longestPause = time.Minute     // between restarts
	steadyAfter  = 5 * time.Minute // a run this long ends a row of crashes
	readyPoll    = 50 * time.Millisecond
)

// service is a program that is kept running as our child.
type service struct {
	name    string // in the log and in errors, e.g. "Synapse"
	log     *logrus.Entry
	console string // the file that its console goes to
	tells   string // the file to look into, where that is another one
	address string // a request to it is answered with 200 once the service is ready
	command func() *exec.Cmd
	// patience is how long it may take to the first answer; 0 is ReadyPatience.
	patience time.Duration
	// stopping is how long it may take to its end; 0 is stopPatience.
	stopping time.Duration
	// orphaned is the signal that ends it when we are gone; 0 is SIGKILL.
	orphaned syscall.Signal

	onCrash     func(Crash)
	onRecovered func(Recovered)

	child *child
}

// run supervises the child that launch has started: when it ends by itself it
// is started anew, after a pause that grows from 1 s to a minute. run returns
// when ctx is done; halt then ends the child.
func (s *service) run(ctx context.Context) {
	crashes := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.child.done:
		}
		if s.child.exit.Ran > steadyAfter {
			crashes = 0
		}
		crashes = s.restart(ctx, s.child.exit, crashes)
	}
}

// restart starts the program until it answers or ctx is done, and returns the
// number of crashes in a row. It tells of each crash and of the recovery.
func (s *service) restart(ctx context.Context, exit ErrExited, crashes int) int {
	since, before := time.Now(), crashes
	for {
		crash := Crash{Exit: exit, Attempt: crashes + 1, Restart: min(longestPause, firstPause<<min(crashes, 10))}
		crashes++
		s.log.WithError(exit).WithField("pause", crash.Restart).Warnf("%s ended by itself", s.name)
		s.onCrash(crash)
		if !sleep(ctx, crash.Restart) {
			return crashes
		}
		err := s.launch(ctx)
		if err == nil {
			s.onRecovered(Recovered{Attempts: crashes - before, Down: time.Since(since)})
			return crashes
		}
		if ctx.Err() != nil {
			return crashes
		}
		s.log.WithError(err).Warnf("restart of %s failed", s.name)
		if !errors.As(err, &exit) {
			exit = ErrExited{Program: s.name, Code: -1, Tail: []string{err.Error()}, Log: s.console}
		}
	}
}

// launch starts the program and waits for its first answer.
func (s *service) launch(ctx context.Context) error {
	console, err := openConsole(s.console)
	if err != nil {
		return err
	}
	cmd := s.command()
	started, err := launchChild(s.name, cmd, console, cmp.Or(s.orphaned, syscall.SIGKILL))
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.child = started
	s.log.WithField("pid", cmd.Process.Pid).Infof("%s started", s.name)
	return s.awaitReady(ctx)
}

// awaitReady waits for the first answer. A program that does not come up is
// ended: nothing is left running after an error.
func (s *service) awaitReady(ctx context.Context) error {
	begun := time.Now()
	client := &http.Client{Timeout: 5 * time.Second}
	for {
		if answers(ctx, client, s.address) {
			return nil
		}
		select {
		case <-s.child.done:
			return s.child.exit
		case <-ctx.Done():
			s.child.stop(s.stopPatience())
			return fmt.Errorf("wait for %s: %w", s.name, ctx.Err())
		case <-time.After(readyPoll):
		}
		if after := time.Since(begun); after > cmp.Or(s.patience, ReadyPatience) {
			s.child.stop(s.stopPatience())
			return ErrNotReady{Program: s.name, After: after, Log: s.tells}
		}
	}
}

func answers(ctx context.Context, client *http.Client, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (s *service) stopPatience() time.Duration { return cmp.Or(s.stopping, stopPatience) }

// halt stops the child where one runs.
func (s *service) halt() {
	if s.child == nil {
		return
	}
	s.child.stop(s.stopPatience())
	s.log.WithField("ran", s.child.exit.Ran).Infof("%s stopped", s.name)
	s.child = nil
}

// sleep waits and says whether it was left in peace.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
