// Package workspace finds and mends the permissions on which a host and a
// container disagree in a folder that both write to: files that a tool made
// for its own user alone, and what root has left behind.
//
// The folder is hostile ground: whoever runs in the container may exchange a
// directory for a link at any moment. So nothing is ever reached by a path
// that could lead outside (openat2 with RESOLVE_BENEATH, and no links, no
// mounts), and what is changed is the very file that was looked at, by its
// descriptor. It never touches keys, .ssh and .git, never a file with a second
// name, and never sets a setuid bit. It knows nothing of agents or engines.
package workspace

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Folder is a workspace, and who works in it besides its owner.
type Folder struct {
	// Path is absolute and has no links in it; one that has is refused.
	Path string
	// GuestUID and GuestGID are those of the container's user; -1 where it has
	// the owner's.
	GuestUID, GuestGID int
	// Skip are folders inside that are somebody else's, by absolute path.
	Skip []string
}

// State is who owns a file, and its permissions.
type State struct {
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Mode uint32 `json:"mode"` // the twelve permission bits
}

func (s State) String() string { return fmt.Sprintf("%04o %d:%d", s.Mode, s.UID, s.GID) }

// Change is one file that is to be mended, or was.
type Change struct {
	Path   string `json:"path"` // below the folder; "." is the folder itself
	Inode  uint64 `json:"inode"`
	Device uint64 `json:"device"`
	Was    State  `json:"was"`
	Will   State  `json:"will"`
}

// Why says what was wrong, in few words.
func (c Change) Why() string {
	switch {
	case c.Was.UID != c.Will.UID:
		return "root left it"
	case c.Was.GID != c.Will.GID:
		return "another group"
	}
	return "closed to the other side"
}

// Left is a file that would be mended, but is not.
type Left struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Plan is what was found in a folder.
type Plan struct {
	Folder  string   `json:"folder"`
	Seen    int      `json:"seen"` // files and folders
	Changes []Change `json:"changes"`
	Left    []Left   `json:"left"` // the first mostLeft
	LeftAll int      `json:"left_all"`
}

const (
	// mostLeft bounds what is told one by one of what stays.
	mostLeft = 100
	// mostChanges bounds one run; the next one does the rest.
	mostChanges = 200_000
	// mostDepth bounds how deep folders are followed: each costs a descriptor.
	mostDepth = 128
)

// NotSharedError says that owner and container have no group in common: then
// no permissions let both work.
type NotSharedError struct{ Owner, Guest State }

func (e *NotSharedError) Error() string {
	return fmt.Sprintf("owner %d:%d and container %d:%d share no group", e.Owner.UID, e.Owner.GID, e.Guest.UID, e.Guest.GID)
}

// ErrOldKernel says that the kernel has no openat2 (Linux 5.6), without which
// this is not safe.
var ErrOldKernel = errors.New("the kernel cannot open files without following links (openat2, Linux 5.6)")

// beneath keeps the kernel from leaving the folder on the way to a file.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// openRoot opens the folder itself; a link anywhere in its path is an error.
func openRoot(path string) (int, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if errors.Is(err, unix.ENOSYS) {
		return -1, ErrOldKernel
	}
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", path, err)
	}
	return fd, nil
}

// openBeneath opens a handle on a file: it can be looked at and changed through
// it, and not read. A link is opened itself, and not what it points to.
func openBeneath(dir int, path string) (int, unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: beneath})
	if err != nil {
		return -1, st, err
	}
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}

const permissionBits = 0o7777

func stateOf(st unix.Stat_t) State {
	return State{UID: int(st.Uid), GID: int(st.Gid), Mode: st.Mode & permissionBits}
}

func isFolder(st unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }
func isFile(st unix.Stat_t) bool   { return st.Mode&unix.S_IFMT == unix.S_IFREG }
