package workspace

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// Result is what came of a plan.
type Result struct {
	Changed []Change `json:"changed"`
	Left    []Left   `json:"left"`
}

// Mend carries a plan out. What is not as it was when it was looked at stays as
// it is: somebody was faster, or means harm.
func (p Plan) Mend(ctx context.Context) (Result, error) {
	return apply(ctx, p.Folder, p.Changes)
}

// Restore takes changes back, as far as the files are still as these changes
// left them.
func Restore(ctx context.Context, folder string, changes []Change) (Result, error) {
	back := make([]Change, len(changes))
	for i, c := range changes { // folders last: a closed one keeps us out
		c.Was, c.Will = c.Will, c.Was
		back[len(changes)-1-i] = c
	}
	return apply(ctx, folder, back)
}

func apply(ctx context.Context, folder string, changes []Change) (Result, error) {
	var result Result
	root, err := openRoot(folder)
	if err != nil {
		return result, err
	}
	defer unix.Close(root)
	for _, c := range changes {
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		if err := c.apply(root); err != nil {
			result.Left = append(result.Left, Left{Path: c.Path, Reason: err.Error()})
			continue
		}
		result.Changed = append(result.Changed, c)
	}
	return result, nil
}

// errNot words why one file was not changed.
func errNot(format string, args ...any) error { return fmt.Errorf(format, args...) }

// apply changes one file through its descriptor: whatever is done to its path
// meanwhile, no other file is meant.
func (c Change) apply(root int) error {
	fd, st, err := openBeneath(root, c.Path)
	if err != nil {
		return errNot("it cannot be reached any more: %v", err)
	}
	defer unix.Close(fd)
	switch {
	case st.Ino != c.Inode || st.Dev != c.Device || stateOf(st) != c.Was || !isFile(st) && !isFolder(st):
		return errNot("it was changed meanwhile")
	case refusal(st) != "":
		return errNot("%s", refusal(st))
	}
	if c.Was.UID != c.Will.UID || c.Was.GID != c.Will.GID {
		if err := unix.Fchownat(fd, "", c.Will.UID, c.Will.GID, unix.AT_EMPTY_PATH); err != nil {
			return errNot("its owner cannot be changed: %v", err)
		}
	}
	mode := c.Will.Mode &^ unix.S_ISUID
	if isFile(st) {
		mode &^= unix.S_ISGID
	}
	// A handle cannot be given to fchmod; its name in /proc leads to this very file.
	if err := unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode); err != nil {
		return errNot("its permissions cannot be changed: %v", err)
	}
	return nil
}
