package sandbox

import (
	"archive/tar"
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

// writeContext writes the files owned by root and without dates: the same
// content is the same context, whoever built the binary, and the engine's
// cache holds. Links and devices have no place in a build context.
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
		if err != nil || entry.IsDir() || name == "Dockerfile" && dockerfile != "" {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file", name)
		}
		return writeFile(archive, context, name, entry)
	})
	if err != nil {
		return fmt.Errorf("read the build context: %w", err)
	}
	return archive.Close()
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
