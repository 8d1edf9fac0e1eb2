package safefile

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
)

// KeptBackups is how many backups of a file are kept.
const KeptBackups = 20

// backupFolder is the folder beside the file that holds its backups. OpenClaw's own backups have names of their own
// (.bak, .last-good, .clobbered.*), which these are not to be mixed up with.
const backupFolder = ".fraktalia-backups"

// stampLayout sorts by time when sorted by name.
const stampLayout = "20060102T150405.000000000Z"

// Backup is an earlier content of a file.
type Backup struct {
	Path string
	Time time.Time
}

func (f *File) backupDir() string { return filepath.Join(filepath.Dir(f.Path), backupFolder) }

// backup keeps the old content: written under a temporary name first, so that a backup is always whole.
func (f *File) backup(stat *syscall.Stat_t) (string, error) {
	dir := f.backupDir()
	if err := f.makeBackupDir(dir, stat); err != nil {
		return "", err
	}
	temp, err := f.write(filepath.Join(dir, f.tempPattern()), f.Data, stat)
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, filepath.Base(f.Path)+"."+time.Now().UTC().Format(stampLayout))
	if err := os.Rename(temp, name); err != nil {
		_ = os.Remove(temp)
		return "", err
	}
	return name, nil
}

// makeBackupDir makes the folder for backups, for the file's owner only. A link in its place is refused: it could send
// the backups, which may hold secrets, anywhere.
func (f *File) makeBackupDir(dir string, stat *syscall.Stat_t) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		if int(stat.Uid) != os.Geteuid() || int(stat.Gid) != os.Getegid() {
			return os.Lchown(dir, int(stat.Uid), int(stat.Gid))
		}
		return nil
	}
	if !os.IsExist(err) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder: %w", dir, syscall.ENOTDIR)
	}
	return nil
}

// Backups lists the backups of the file, the newest first.
func (f *File) Backups() ([]Backup, error) {
	entries, err := os.ReadDir(f.backupDir())
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the backups: %w", err)
	}
	var list []Backup
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), filepath.Base(f.Path)+".")
		if at, err := time.Parse(stampLayout, stamp); ok && err == nil {
			list = append(list, Backup{filepath.Join(f.backupDir(), e.Name()), at})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Time.After(list[j].Time) })
	return list, nil
}

// prune removes all but the newest backups. A failure is no reason to call the save failed: the next one tries again.
func (f *File) prune() {
	list, err := f.Backups()
	if err != nil {
		return
	}
	for i := KeptBackups; i < len(list); i++ {
		_ = os.Remove(list[i].Path)
	}
}
