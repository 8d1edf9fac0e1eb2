package workspace

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Look finds what is to be mended, and changes nothing. Errors:
// *NotSharedError, ErrOldKernel, those of opening the folder, the context's.
func Look(ctx context.Context, f Folder) (Plan, error) {
	plan := Plan{Folder: f.Path}
	root, err := openRoot(f.Path)
	if err != nil {
		return plan, err
	}
	defer unix.Close(root)
	var st unix.Stat_t
	if err := unix.Fstat(root, &st); err != nil {
		return plan, err
	}
	l := &look{ctx: ctx, plan: &plan}
	if l.pattern, err = patternOf(stateOf(st), f); err != nil {
		return plan, err
	}
	for _, skip := range f.Skip {
		if below, err := filepath.Rel(f.Path, skip); err == nil {
			l.skip = append(l.skip, below)
		}
	}
	l.judge(".", st)
	return plan, l.folder(root, "", 0)
}

// look is one walk through a folder.
type look struct {
	ctx     context.Context
	pattern pattern
	skip    []string
	plan    *Plan
}

// folder looks at all that is in an open folder.
func (l *look) folder(dir int, below string, depth int) error {
	if depth > mostDepth {
		l.leave(below, "it lies too deep")
		return nil
	}
	// The descriptor is read through another one, which is closed with it.
	again, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		l.leave(below, "it cannot be read: "+err.Error())
		return nil
	}
	list := os.NewFile(uintptr(again), below)
	defer list.Close()
	for {
		names, err := list.Readdirnames(512)
		for _, name := range names {
			if l.ctx.Err() != nil {
				return l.ctx.Err()
			}
			if err := l.entry(dir, name, filepath.Join(below, name), depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || len(l.plan.Changes) >= mostChanges {
			return nil
		}
		if err != nil {
			l.leave(below, "it cannot be read: "+err.Error())
			return nil
		}
	}
}

func (l *look) entry(dir int, name, below string, depth int) error {
	if untouchable(name) || slices.Contains(l.skip, below) {
		return nil
	}
	fd, st, err := openBeneath(dir, name)
	switch {
	case errors.Is(err, unix.EXDEV):
		l.leave(below, "something else is mounted there")
		return nil
	case err != nil:
		return nil // gone meanwhile
	}
	defer unix.Close(fd)
	if isFile(st) {
		l.judge(below, st)
	}
	if !isFolder(st) {
		return nil
	}
	l.judge(below, st)
	return l.folder(fd, below, depth+1)
}

// judge compares one file with the pattern.
func (l *look) judge(below string, st unix.Stat_t) {
	l.plan.Seen++
	was := stateOf(st)
	will := l.pattern.want(was, isFolder(st))
	switch {
	case was == will || len(l.plan.Changes) >= mostChanges:
	case refusal(st) != "":
		l.leave(below, refusal(st))
	case os.Geteuid() != 0 && (was.UID != os.Geteuid() || will.UID != was.UID):
		l.leave(below, "only root can change it")
	default:
		l.plan.Changes = append(l.plan.Changes, Change{Path: below, Inode: st.Ino, Device: st.Dev, Was: was, Will: will})
	}
}

// refusal says why a file is never touched.
func refusal(st unix.Stat_t) string {
	switch {
	case isFile(st) && st.Nlink > 1:
		return "it has a second name, which may lie elsewhere"
	case isFile(st) && st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0, st.Mode&unix.S_ISUID != 0:
		return "it runs with somebody else's rights (setuid)"
	}
	return ""
}

func (l *look) leave(below, reason string) {
	l.plan.LeftAll++
	if len(l.plan.Left) < mostLeft {
		l.plan.Left = append(l.plan.Left, Left{Path: below, Reason: reason})
	}
}
