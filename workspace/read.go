package workspace

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// TooLongError says that a file has more in it than was to be read.
type TooLongError struct {
	Name string
	Most int64
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("%s has more than %d bytes", e.Name, e.Most)
}

// Read reads a small file that lies in the folder itself, and nothing that a
// link leads to. Errors: fs.ErrNotExist, fs.ErrPermission, *TooLongError,
// ErrOldKernel.
func Read(folder, name string, most int64) ([]byte, error) {
	root, err := openRoot(folder)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	// Not to wait for the writer of a pipe that lies there under that name.
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: beneath}
	fd, err := unix.Openat2(root, name, how)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if !isFile(st) {
		return nil, fmt.Errorf("%s is no file", name)
	}
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(text)) > most {
		return nil, &TooLongError{Name: name, Most: most}
	}
	return text, err
}

// Remove removes one name that lies in the folder itself: a file or a link,
// never what the link leads to.
func Remove(folder, name string) error {
	root, err := openRoot(folder)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	return unix.Unlinkat(root, name, 0)
}
