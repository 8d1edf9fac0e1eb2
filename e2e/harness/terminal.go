package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a run of the program at a terminal, where somebody types.
type Terminal struct {
	cmd    *exec.Cmd
	master *os.File
	shown  *noise
	read   chan struct{} // closed when all that was shown has been read
	done   chan error
}

// OnTerminal runs the program with args at a terminal of its own.
func (d *Deployment) OnTerminal(args ...string) (*Terminal, error) {
	master, slave, err := OpenTerminal()
	if err != nil {
		return nil, fmt.Errorf("open a terminal: %w", err)
	}
	defer slave.Close()
	t := &Terminal{cmd: exec.Command(d.Binary, args...), master: master, shown: &noise{}, read: make(chan struct{}), done: make(chan error, 1)}
	t.cmd.Env = append(os.Environ(), d.Env...)
	t.cmd.Stdin, t.cmd.Stdout, t.cmd.Stderr = slave, slave, slave
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := t.cmd.Start(); err != nil {
		return nil, errors.Join(err, master.Close())
	}
	go func() {
		defer close(t.read)
		_, _ = io.Copy(t.shown, master) // it ends with an error when the other end is closed
	}()
	go func() { t.done <- t.cmd.Wait() }()
	return t, nil
}

// OpenTerminal makes a terminal: what is typed and shown at the one end, and what a
// program has for a terminal.
func OpenTerminal() (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}

// Shown is all that the terminal has shown.
func (t *Terminal) Shown() string { return strings.ReplaceAll(t.shown.String(), "\r\n", "\n") }

// Await waits until the terminal has shown a text.
func (t *Terminal) Await(ctx context.Context, text string) error {
	for !strings.Contains(t.Shown(), text) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the terminal does not show %q: %w\n%s", text, ctx.Err(), t.Shown())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Type types a line.
func (t *Terminal) Type(line string) error {
	_, err := t.master.WriteString(line + "\n")
	return err
}

// Ended waits for the program's end and returns how that was; one that does not
// end by then is killed.
func (t *Terminal) Ended(ctx context.Context) error {
	defer t.master.Close()
	select {
	case err := <-t.done:
		select {
		case <-t.read:
		case <-ctx.Done():
		}
		return err
	case <-ctx.Done():
		_ = t.cmd.Process.Kill()
		return errors.Join(ctx.Err(), <-t.done)
	}
}
