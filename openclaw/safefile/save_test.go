package safefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newFile(t *testing.T, content string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "openclaw.json")
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	return read(t, path)
}

func read(t *testing.T, path string) *File {
	t.Helper()
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// wantOnly fails unless the file has that content and nothing but backups lies beside it.
func wantOnly(t *testing.T, path, content string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || string(data) != content {
		t.Errorf("%s holds %.40q (%v), want %.40q", path, data, err, content)
	}
	for _, dir := range []string{filepath.Dir(path), filepath.Join(filepath.Dir(path), backupFolder)} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".tmp") {
				t.Errorf("%s was left in %s", e.Name(), dir)
			}
		}
	}
}

func TestSaveKeepsModeOwnerAndBackup(t *testing.T) {
	f := newFile(t, "old")
	if os.Geteuid() == 0 {
		if err := os.Chown(f.Path, 1234, 2345); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(f.Path, 0o604); err != nil {
		t.Fatal(err)
	}
	var want, got syscall.Stat_t
	if err := syscall.Stat(f.Path, &want); err != nil {
		t.Fatal(err)
	}
	backup, err := f.Save(context.Background(), []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	wantOnly(t, f.Path, "new")
	wantOnly(t, backup, "old")
	for _, path := range []string{f.Path, backup} {
		if err := syscall.Stat(path, &got); err != nil || got.Mode != want.Mode || got.Uid != want.Uid || got.Gid != want.Gid {
			t.Errorf("%s: mode %o owner %d:%d (%v), want %o %d:%d", path, got.Mode, got.Uid, got.Gid, err, want.Mode, want.Uid, want.Gid)
		}
	}
}

func TestBackupsArePruned(t *testing.T) {
	f := newFile(t, "0")
	for i := range KeptBackups + 5 {
		if _, err := f.Save(context.Background(), fmt.Append(nil, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := f.Backups()
	if err != nil || len(list) != KeptBackups {
		t.Fatalf("%d backups (%v), want %d", len(list), err, KeptBackups)
	}
	wantOnly(t, list[0].Path, fmt.Sprint(KeptBackups+4))
}

func TestSaveThroughLinks(t *testing.T) {
	f := newFile(t, "old")
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(f.Path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, link).Save(context.Background(), []byte("new")); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, f.Path, "new")
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced (%v)", err)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, f *File)
		want    any
		content string
	}{
		"changed by somebody else": {func(t *testing.T, f *File) { must(t, os.WriteFile(f.Path, []byte("theirs"), 0o640)) }, new(*ChangedError), "theirs"},
		"hard link":                {func(t *testing.T, f *File) { must(t, os.Link(f.Path, f.Path+".other")) }, new(*HardLinkError), "old"},
		"read-only file":           {func(t *testing.T, f *File) { must(t, os.Chmod(f.Path, 0o440)) }, new(*ReadOnlyError), "old"},
		"read-only folder":         {func(t *testing.T, f *File) { must(t, os.Chmod(filepath.Dir(f.Path), 0o555)) }, new(*ReadOnlyError), "old"},
		"single-file mount": {func(t *testing.T, f *File) {
			must(t, unix.Mount(f.Path, f.Path, "", unix.MS_BIND, ""))
			t.Cleanup(func() { must(t, unix.Unmount(f.Path, 0)) })
		}, new(*BindMountError), "old"},
		"no folder for backups": {func(t *testing.T, f *File) { must(t, os.Symlink("/tmp", f.backupDir())) }, new(*SaveError), "old"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t, "old")
			c.prepare(t, f)
			_, err := f.Save(context.Background(), []byte("new"))
			if !errors.As(err, c.want) {
				t.Errorf("error %v, want %T", err, c.want)
			}
			wantOnly(t, f.Path, c.content)
			must(t, os.Chmod(filepath.Dir(f.Path), 0o755))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("this test mounts a small file system and needs to be root for that: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	path := filepath.Join(dir, "openclaw.json")
	must(t, os.WriteFile(path, bytes.Repeat([]byte("o"), 20_000), 0o600))
	for _, size := range []int{30_000, 500_000} { // the backup does not fit; the new content itself does not fit
		_, err := read(t, path).Save(context.Background(), bytes.Repeat([]byte("n"), size))
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d bytes: %v, want a full disk", size, err)
		}
		wantOnly(t, path, strings.Repeat("o", 20_000))
	}
}

func TestReadRefusesWhatIsNoFile(t *testing.T) {
	var wrong *NotRegularError
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(pipe, 0o600))
	for _, path := range []string{t.TempDir(), pipe} {
		if _, err := Read(path); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Read(pipe + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestTwoWritersTakeTurns(t *testing.T) {
	f := newFile(t, "old")
	folder, err := f.lock(context.Background())
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.Save(ctx, []byte("new")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a locked folder: %v", err)
	}
	wantOnly(t, f.Path, "old")
	must(t, folder.Close())
	if _, err := f.Save(context.Background(), []byte("new")); err != nil {
		t.Error(err)
	}
}

// TestKilledAtAnyPoint lets a process of its own save over and over, and kills it.
func TestKilledAtAnyPoint(t *testing.T) {
	path := os.Getenv("SAFEFILE_CHILD")
	contents := []string{strings.Repeat("a", 300_000), strings.Repeat("b", 200_000)}
	if path != "" {
		for i := 0; ; i++ {
			if _, err := read(t, path).Save(context.Background(), []byte(contents[i%2])); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := newFile(t, contents[0])
	for i := range 60 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledAtAnyPoint$")
		child.Env = append(os.Environ(), "SAFEFILE_CHILD="+f.Path)
		must(t, child.Start())
		waitForChange(t, f.Path)
		time.Sleep(time.Duration(rand.Intn(20_000)) * time.Microsecond)
		must(t, child.Process.Signal(syscall.SIGKILL))
		_ = child.Wait()
		data, err := os.ReadFile(f.Path)
		if err != nil || string(data) != contents[0] && string(data) != contents[1] {
			t.Fatalf("kill %d: the file has %d bytes and is neither the old nor the new (%v)", i, len(data), err)
		}
		wantWholeBackups(t, read(t, f.Path), contents)
	}
	last := read(t, f.Path)
	_, err := last.Save(context.Background(), []byte("end"))
	must(t, err)
	wantOnly(t, f.Path, "end")
}

// waitForChange waits until the child has begun to save.
func waitForChange(t *testing.T, path string) {
	t.Helper()
	var first, now syscall.Stat_t
	must(t, syscall.Stat(path, &first))
	for now = first; now.Ino == first.Ino; must(t, syscall.Stat(path, &now)) {
		time.Sleep(time.Millisecond)
	}
}

func wantWholeBackups(t *testing.T, f *File, contents []string) {
	t.Helper()
	list, err := f.Backups()
	must(t, err)
	for _, b := range list {
		data, err := os.ReadFile(b.Path)
		if err != nil || string(data) != contents[0] && string(data) != contents[1] {
			t.Fatalf("%s is not whole: %d bytes (%v)", b.Path, len(data), err)
		}
	}
}
