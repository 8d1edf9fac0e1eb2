package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/githabideri/fraktalia/aside"
)

// Upgrade says what became of a Synapse newer than the one that a data folder
// was run with.
type Upgrade struct {
	From, To string
	// Err says why the new one was not taken: the old one goes on. nil is well.
	Err error
}

// nextVenv is where a newer Synapse is installed beside the one in use. It takes
// that one's place at the start after the one at which it answered: it must not
// be moved while it runs.
func (l layout) nextVenv() string { return filepath.Join(l.dir, "synapse", "venv-next") }

// before keeps the database as it was before a newer Synapse came to it.
func (l layout) before() aside.Copy {
	name := filepath.Base(l.database())
	return aside.Copy{Folder: filepath.Join(l.dir, "synapse", "before-upgrade"), Of: filepath.Dir(l.database()),
		Names: []string{name, name + "-wal", name + "-shm", name + "-journal"}}
}

// installSynapse brings the pinned Synapse: beside an older one that works, which
// goes on where the new one cannot be had.
func (s *Stack) installSynapse(ctx context.Context) error {
	venv, next := s.layout.venv(), s.layout.nextVenv()
	if err := s.takeAnswered(venv, next); err != nil {
		return err
	}
	s.venv = venv
	if installed(ctx, venv) || !works(ctx, venv) {
		return Install(ctx, venv, s.options.Cache, s.options.Progress)
	}
	s.upgrade = &Upgrade{From: release(venv), To: SynapseVersion}
	err := Install(ctx, next, s.options.Cache, s.options.Progress)
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		s.upgrade.Err = err
		return nil
	}
	s.venv = next
	return nil
}

// answeredName is the file in a newer environment that says that it has answered.
const answeredName = "fraktalia-answered"

// takeAnswered has a newer Synapse that has answered take the older one's place.
func (s *Stack) takeAnswered(venv, next string) error {
	if _, err := os.Stat(filepath.Join(next, answeredName)); err != nil {
		return nil
	}
	if before := s.layout.before(); before.Kept() {
		if err := before.Drop(); err != nil {
			return err
		}
	}
	if err := errors.Join(os.RemoveAll(venv), os.Rename(next, venv), os.Remove(filepath.Join(venv, answeredName))); err != nil {
		return fmt.Errorf("take the newer Synapse: %w", err)
	}
	return nil
}

// works says whether an environment of other pins is complete and can be run.
func works(ctx context.Context, venv string) bool {
	if _, err := os.Stat(stampFile(venv)); err != nil {
		return false
	}
	cmd := exec.CommandContext(ctx, filepath.Join(venv, "bin", "python"), "-I", "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('synapse') is None)")
	return cmd.Run() == nil
}

// release is the Synapse that an environment was made with.
func release(venv string) string {
	stamp, err := os.ReadFile(stampFile(venv))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(stamp)) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "matrix-synapse=="); ok {
			return version
		}
	}
	return "an older one"
}

// launch starts Synapse. A newer one that does not come to answer has its changes
// of the database taken back, and the old one is started.
func (s *Stack) launch(ctx context.Context) error {
	before := s.layout.before()
	if before.Kept() { // killed in the middle of an upgrade
		if err := before.PutBack(); err != nil {
			return err
		}
	}
	if s.upgrade == nil || s.upgrade.Err != nil {
		return s.synapse.launch(ctx)
	}
	if err := before.Keep(); err != nil { // such as for want of room
		s.upgrade.Err, s.venv = err, s.layout.venv()
		return s.synapse.launch(ctx)
	}
	err := s.synapse.launch(ctx)
	if err == nil {
		return errors.Join(writeFile(filepath.Join(s.venv, answeredName), nil), before.Drop())
	}
	if ctx.Err() != nil {
		return err // the next start begins anew
	}
	s.synapse.halt()
	if err := before.PutBack(); err != nil {
		return err
	}
	s.upgrade.Err, s.venv = err, s.layout.venv()
	return s.synapse.launch(ctx)
}

// Upgrade tells of a newer Synapse; nil where there was none. Known after Start.
func (s *Stack) Upgrade() *Upgrade { return s.upgrade }
