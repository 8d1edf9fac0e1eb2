package safefile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lockPause is how long to wait before asking again for a lock that another process holds.
const lockPause = 20 * time.Millisecond

// Save replaces the file's content and gives the path of the backup of the old one. Whatever error it returns, the file
// is as it was and nothing of ours lies beside it; when it returns nil, the new content is on the disk. Afterwards f
// stands for the new content. Errors: *ChangedError, *HardLinkError, *BindMountError, *ReadOnlyError, *NotRegularError,
// *SaveError, and the context's, should another process hold the lock too long.
//
// The system calls, in order: flock of the folder, so that two of us take turns; a temporary file in the same folder with
// mode 0600, then owner and mode of the old one; fsync; the backup, with fsync; the old file is read again and compared;
// rename; fsync of the folder.
func (f *File) Save(ctx context.Context, data []byte) (backup string, err error) {
	folder, err := f.lock(ctx)
	if err != nil {
		return "", err
	}
	defer folder.Close() //nolint:errcheck // closing releases the lock; nothing was written through it
	stat, err := f.unchanged()
	if err != nil {
		return "", err
	}
	if err := f.replaceable(stat); err != nil {
		return "", err
	}
	f.sweep()
	temp, err := f.write(f.tempPattern(), data, stat)
	if err != nil {
		return "", f.step("writing the new content", err)
	}
	if backup, err = f.exchange(folder, temp, stat); err != nil {
		_ = os.Remove(temp)
		return "", err
	}
	f.Data, f.hash = data, sha256.Sum256(data)
	return backup, nil
}

// lock takes an exclusive lock on the folder. OpenClaw's own locks have other names in each version, so this one is for
// programs of ours; against all others the second look at the content helps.
func (f *File) lock(ctx context.Context) (*os.File, error) {
	folder, err := os.Open(filepath.Dir(f.Path))
	if err != nil {
		return nil, f.step("opening the folder", err)
	}
	for {
		err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return folder, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = folder.Close()
			return nil, f.step("locking the folder", err)
		}
		select {
		case <-ctx.Done():
			_ = folder.Close()
			return nil, fmt.Errorf("wait for another change of %s to end: %w", f.Path, ctx.Err())
		case <-time.After(lockPause):
		}
	}
}

// unchanged reads the file again and compares.
func (f *File) unchanged() (*syscall.Stat_t, error) {
	data, stat, err := load(f.Path)
	if err != nil {
		return nil, f.step("reading again", err)
	}
	if sha256.Sum256(data) != f.hash {
		return nil, &ChangedError{Path: f.Path, Now: data}
	}
	return stat, nil
}

// replaceable refuses what a rename would break, and what its owner marked read-only: a rename would not even notice.
func (f *File) replaceable(stat *syscall.Stat_t) error {
	if stat.Nlink > 1 {
		return &HardLinkError{Path: f.Path, Links: stat.Nlink}
	}
	if stat.Mode&0o222 == 0 {
		return &ReadOnlyError{Path: f.Path, Mode: os.FileMode(stat.Mode & 0o777)}
	}
	if err := unix.Access(f.Path, unix.W_OK); err != nil {
		return f.step("opening for writing", err)
	}
	dir := filepath.Dir(f.Path)
	info, err := os.Stat(dir)
	if err != nil {
		return f.step("looking at the folder", err)
	}
	if info.Mode()&0o222 == 0 {
		return &ReadOnlyError{Path: dir, Mode: info.Mode()}
	}
	return nil
}

func (f *File) tempPattern() string { return "." + filepath.Base(f.Path) + ".fraktalia-*.tmp" }

// sweep removes temporary files that a killed process of ours left; the lock says that no living one needs them.
func (f *File) sweep() {
	for _, dir := range []string{filepath.Dir(f.Path), f.backupDir()} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		before, after, _ := strings.Cut(f.tempPattern(), "*")
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), before) && strings.HasSuffix(e.Name(), after) {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
}

// write makes a file in the folder of the pattern, complete and on the disk, with the owner and mode of the old one.
func (f *File) write(pattern string, data []byte, stat *syscall.Stat_t) (name string, err error) {
	dir := filepath.Dir(f.Path)
	if filepath.Dir(pattern) != "." {
		dir = filepath.Dir(pattern)
	}
	temp, err := os.CreateTemp(dir, filepath.Base(pattern)) // mode 0600
	if err != nil {
		return "", err
	}
	defer func() {
		if closed := temp.Close(); err == nil {
			err = closed
		}
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	if _, err := temp.Write(data); err != nil {
		return "", err
	}
	if err := own(temp, stat); err != nil {
		return "", err
	}
	return temp.Name(), temp.Sync()
}

// own gives a new file the owner and mode of the old one. The owner comes first, because chown drops mode bits.
func own(file *os.File, stat *syscall.Stat_t) error {
	if int(stat.Uid) != os.Geteuid() || int(stat.Gid) != os.Getegid() {
		if err := file.Chown(int(stat.Uid), int(stat.Gid)); err != nil {
			return err
		}
	}
	return file.Chmod(os.FileMode(stat.Mode & 0o777))
}

// exchange makes the backup and puts the new file in the place of the old one.
func (f *File) exchange(folder *os.File, temp string, stat *syscall.Stat_t) (string, error) {
	backup, err := f.backup(stat)
	if err != nil {
		return "", f.step("keeping a backup", err)
	}
	if _, err = f.unchanged(); err == nil {
		err = f.rename(temp)
	}
	if err != nil {
		_ = os.Remove(backup)
		return "", err
	}
	if err := folder.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems cannot, and need not
		return "", f.step("making the rename last", err)
	}
	f.prune()
	return backup, nil
}

func (f *File) rename(temp string) error {
	err := os.Rename(temp, f.Path)
	if errors.Is(err, unix.EBUSY) {
		return &BindMountError{Path: f.Path, Folder: filepath.Dir(f.Path)}
	}
	return f.step("putting the new content in place", err)
}
