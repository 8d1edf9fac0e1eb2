package sandbox

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// streamContext sends a build context as a tar, as it is read. The reader must
// be closed; a file that cannot be read shows as an error of Read.
func streamContext(o BuildOptions) io.ReadCloser {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(writeContext(writer, o.Context, o.Dockerfile)) }()
	return reader
}

// ContextError says which file of a build context cannot be sent.
type ContextError struct {
	Path string // within the context
	Err  error
}

func (e *ContextError) Error() string { return fmt.Sprintf("build context: %s: %v", e.Path, e.Err) }

func (e *ContextError) Unwrap() error { return e.Err }

// writeContext writes the files owned by root and without dates: the same
// content is the same context, whoever built the binary, and the engine's
// cache holds. Links are sent as links; sockets and devices have no place in a
// build context.
func writeContext(to io.Writer, context fs.FS, dockerfile string) error {
	archive := tar.NewWriter(to)
	if dockerfile != "" {
		if err := writeText(archive, "Dockerfile", dockerfile); err != nil {
			return err
		}
	}
	if context == nil {
		return archive.Close()
	}
	err := fs.WalkDir(context, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return &ContextError{Path: name, Err: err}
		}
		if entry.IsDir() || name == "Dockerfile" && dockerfile != "" {
			return nil
		}
		switch entry.Type() {
		case 0:
			err = writeFile(archive, context, name, entry)
		case fs.ModeSymlink:
			err = writeLink(archive, context, name)
		default:
			err = errors.New("is no file, folder or link")
		}
		if err != nil && !errors.Is(err, io.ErrClosedPipe) { // the engine reads no further
			return &ContextError{Path: name, Err: err}
		}
		return err
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

func writeLink(archive *tar.Writer, context fs.FS, name string) error {
	target, err := fs.ReadLink(context, name)
	if err != nil {
		return err
	}
	return archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777})
}

func writeText(archive *tar.Writer, name, text string) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
		return err
	}
	_, err := io.WriteString(archive, text)
	return err
}

func writeFile(archive *tar.Writer, context fs.FS, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	file, err := context.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}
