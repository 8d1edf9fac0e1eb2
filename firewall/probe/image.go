package probe

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Program is where an image of WriteImage has the program.
const Program = "/fraktalia"

// WriteImage writes the file system of an image that has nothing in it but the
// program at path, with the libraries that it was linked to, as a tar: nothing
// has to be pulled or compiled.
func WriteImage(out io.Writer, path string) error {
	files, err := needed(path)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(out)
	if err := addFile(archive, Program, path); err != nil {
		return err
	}
	for _, file := range files {
		if err := addFile(archive, file, file); err != nil {
			return err
		}
	}
	return archive.Close()
}

func addFile(archive *tar.Writer, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("put into an image: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("put into an image: %w", err)
	}
	if err := archive.WriteHeader(&tar.Header{Name: name[1:], Mode: 0o755, Size: info.Size()}); err != nil {
		return fmt.Errorf("put %s into an image: %w", path, err)
	}
	if _, err := io.Copy(archive, file); err != nil {
		return fmt.Errorf("put %s into an image: %w", path, err)
	}
	return nil
}

// needed lists the loader and the libraries of a program, and theirs; none
// where it is linked statically.
func needed(path string) (files []string, err error) {
	known := map[string]bool{}
	program, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer program.Close()
	for queue := []string{path}; len(queue) > 0; queue = queue[1:] {
		loader, libraries, err := links(queue[0])
		if err != nil {
			return nil, err
		}
		if loader != "" && !known[filepath.Base(loader)] {
			known[filepath.Base(loader)] = true
			files = append(files, loader)
		}
		for _, library := range libraries {
			if known[library] {
				continue
			}
			known[library] = true
			file, err := find(library, program.Machine)
			if err != nil {
				return nil, err
			}
			files, queue = append(files, file), append(queue, file)
		}
	}
	return files, nil
}

// links reads which loader and libraries a file names.
func links(path string) (loader string, libraries []string, err error) {
	file, err := elf.Open(path)
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			text := make([]byte, part.Filesz)
			if _, err := part.ReadAt(text, 0); err != nil {
				return "", nil, fmt.Errorf("read %s: %w", path, err)
			}
			loader = string(text[:len(text)-1]) // ends with a zero
		}
	}
	libraries, err = file.ImportedLibraries()
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", path, err)
	}
	return loader, libraries, nil
}

// find looks for a library where loaders look without being told.
func find(library string, machine elf.Machine) (string, error) {
	for _, pattern := range []string{"/lib/*-linux-*", "/lib64", "/lib", "/usr/lib/*-linux-*", "/usr/lib64", "/usr/lib"} {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, folder := range folders {
			path := filepath.Join(folder, library)
			if fits(path, machine) {
				return path, nil
			}
		}
	}
	return "", errors.New("there is no library " + library)
}

// fits says whether a file is a library for the machine.
func fits(path string, machine elf.Machine) bool {
	file, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	return file.Machine == machine
}
