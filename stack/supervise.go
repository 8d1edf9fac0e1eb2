package stack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	stopPatience  = 5 * time.Second // SIGTERM to SIGKILL; with the bot's 4 s before it under 10 s
	readyPatience = 2 * time.Minute // from start to the first answer; a first start makes the database
	firstPause    = time.Second     // before the first restart; doubled each time
	longestPause  = time.Minute     // between restarts
	steadyAfter   = 5 * time.Minute // a run this long ends a row of crashes
	readyPoll     = 50 * time.Millisecond
)

// Run supervises the Synapse that Start has started: when it ends by itself it
// is started anew, after a pause that grows from 1 s to a minute. Run returns
// when ctx is done and Synapse has ended, within 6 s; its error then is nil.
func (s *Stack) Run(ctx context.Context) error {
	crashes := 0
	for {
		select {
		case <-ctx.Done():
			return s.Close()
		case <-s.child.done:
		}
		if s.child.exit.Ran > steadyAfter {
			crashes = 0
		}
		crashes = s.restart(ctx, s.child.exit, crashes)
	}
}

// restart starts Synapse until it answers or ctx is done, and returns the
// number of crashes in a row. It tells of each crash and of the recovery.
func (s *Stack) restart(ctx context.Context, exit ErrExited, crashes int) int {
	since, before := time.Now(), crashes
	for {
		crash := Crash{Exit: exit, Attempt: crashes + 1, Restart: min(longestPause, firstPause<<min(crashes, 10))}
		crashes++
		s.options.Log.WithError(exit).WithField("pause", crash.Restart).Warn("synapse ended by itself")
		s.options.OnCrash(crash)
		if !sleep(ctx, crash.Restart) {
			return crashes
		}
		err := s.launch(ctx)
		if err == nil {
			s.options.OnRecovered(Recovered{Attempts: crashes - before, Down: time.Since(since)})
			return crashes
		}
		if ctx.Err() != nil {
			return crashes
		}
		s.options.Log.WithError(err).Warn("restart of synapse failed")
		if !errors.As(err, &exit) {
			exit = ErrExited{Code: -1, Tail: []string{err.Error()}, Log: s.layout.console()}
		}
	}
}

// launch starts Synapse and waits for its first answer.
func (s *Stack) launch(ctx context.Context) error {
	console, err := openConsole(s.layout.console())
	if err != nil {
		return err
	}
	args := []string{"-I", "-m", synapseModule, "-c", s.layout.config()}
	if _, err := os.Stat(s.layout.localConfig()); err == nil {
		args = append(args, "-c", s.layout.localConfig())
	}
	cmd := exec.Command(filepath.Join(s.layout.venv(), "bin", "python"), args...)
	cmd.Dir = filepath.Dir(s.layout.config())
	cmd.Env = childEnvironment()
	started, err := launchChild(cmd, console)
	if err != nil {
		return fmt.Errorf("start Synapse: %w", err)
	}
	s.child = started
	s.options.Log.WithField("pid", cmd.Process.Pid).Info("synapse started")
	return s.awaitReady(ctx)
}

const synapseModule = "synapse.app.homeserver"

// awaitReady waits for the first answer. A Synapse that does not come up is
// ended: nothing is left running after an error.
func (s *Stack) awaitReady(ctx context.Context) error {
	begun := time.Now()
	client := &http.Client{Timeout: 5 * time.Second}
	for {
		if answers(ctx, client, s.Address()) {
			return nil
		}
		select {
		case <-s.child.done:
			return s.child.exit
		case <-ctx.Done():
			s.child.stop(stopPatience)
			return fmt.Errorf("wait for Synapse: %w", ctx.Err())
		case <-time.After(readyPoll):
		}
		if after := time.Since(begun); after > readyPatience {
			s.child.stop(stopPatience)
			return ErrNotReady{After: after, Log: s.layout.log()}
		}
	}
}

func answers(ctx context.Context, client *http.Client, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/_matrix/client/versions", nil)
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

// halt stops the child where one runs.
func (s *Stack) halt() error {
	if s.child == nil {
		return nil
	}
	s.child.stop(stopPatience)
	s.options.Log.WithField("ran", s.child.exit.Ran).Info("synapse stopped")
	s.child = nil
	return nil
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
