package stack

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/githabideri/fraktalia/procnet"
)

// ErrLocked says that another fraktalia uses the data folder.
type ErrLocked struct {
	Dir string
	PID int // of the other one; 0 when it could not be read
}

func (e ErrLocked) Error() string {
	return fmt.Sprintf("data folder %s is in use by process %d", e.Dir, e.PID)
}

// ErrDataFolder says that a folder cannot be the data folder: it holds other
// things, which its new permissions might lock away from their users.
type ErrDataFolder struct {
	Dir   string
	Found string // one of the strange things in it
}

func (e ErrDataFolder) Error() string {
	return fmt.Sprintf("%s is no data folder: it holds %q", e.Dir, e.Found)
}

// ErrServerName says that a name is none that Matrix allows for a server.
type ErrServerName struct{ Name string }

func (e ErrServerName) Error() string { return fmt.Sprintf("%q is no valid server name", e.Name) }

// ErrServerNameFixed says that the data folder belongs to another server name.
type ErrServerNameFixed struct{ Dir, Have, Want string }

func (e ErrServerNameFixed) Error() string {
	return fmt.Sprintf("data folder %s is of server %q, not %q", e.Dir, e.Have, e.Want)
}

// ErrListen says that the homeserver cannot listen as asked.
type ErrListen struct {
	Listen string
	Err    error
}

func (e ErrListen) Error() string { return fmt.Sprintf("listen on %q: %v", e.Listen, e.Err) }

// Unwrap gives the cause.
func (e ErrListen) Unwrap() error { return e.Err }

// ErrPortInUse says that another program has the homeserver's port.
type ErrPortInUse struct {
	Port   int
	Holder procnet.Process // not Known where it belongs to another user
}

func (e ErrPortInUse) Error() string { return fmt.Sprintf("port %d is held by %s", e.Port, e.Holder) }

// ErrNoPython says that no Python of version 3.11 or later was found.
type ErrNoPython struct {
	Found []string // what was found instead, e.g. "/usr/bin/python3 is 3.9"
}

func (e ErrNoPython) Error() string {
	return "no Python 3.11 or later found: " + strings.Join(e.Found, ", ")
}

// ErrNoVenv says that a good Python lacks the modules venv and ensurepip, which
// Debian and Ubuntu ship apart, as python3-venv.
type ErrNoVenv struct {
	Python  string // the program
	Version string // e.g. "3.11"
}

func (e ErrNoVenv) Error() string {
	return fmt.Sprintf("%s (Python %s) cannot make virtual environments", e.Python, e.Version)
}

// ErrInstall says that Synapse could not be installed.
type ErrInstall struct {
	Step Step     // StepVenv or StepPackages
	Tail []string // the last lines that the tool said
	Err  error
}

func (e ErrInstall) Error() string {
	return fmt.Sprintf("install Synapse (%s): %v: %s", e.Step, e.Err, strings.Join(e.Tail, " | "))
}

// Unwrap gives the cause.
func (e ErrInstall) Unwrap() error { return e.Err }

// ErrExited says that a program ended by itself.
type ErrExited struct {
	Program string
	Code    int            // exit status; -1 when a signal ended it
	Signal  syscall.Signal // the signal; 0 when there was none
	Ran     time.Duration  // how long it had been running
	Tail    []string       // the last lines on its console
	Log     string         // the file with all of it
}

func (e ErrExited) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("%s was ended by signal %d (%s)", e.Program, e.Signal, e.Signal)
	}
	return fmt.Sprintf("%s ended with status %d: %s", e.Program, e.Code, strings.Join(e.Tail, " | "))
}

// ErrNotReady says that a program runs but did not answer in time.
type ErrNotReady struct {
	Program string
	After   time.Duration
	Log     string // the file to look into
}

func (e ErrNotReady) Error() string {
	return fmt.Sprintf("%s did not answer within %s", e.Program, e.After)
}

func isInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
