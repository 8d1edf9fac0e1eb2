package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/sandbox"
)

// buildKitProgram finds a docker program that builds with BuildKit by itself:
// those since 23 need a plug-in for it, which need not be there.
func buildKitProgram(ctx context.Context) (string, error) {
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		program := filepath.Join(folder, "docker")
		try := exec.CommandContext(ctx, program, "build", "-q", "-")
		try.Env = append(os.Environ(), "DOCKER_BUILDKIT=1")
		try.Stdin = strings.NewReader("FROM scratch\nLABEL io.fraktalia.bench=try\n")
		if try.Run() == nil {
			return program, nil
		}
	}
	return "", errors.New("no docker program here builds with BuildKit: install docker-buildx, or docker.io of Debian 12")
}

// base is the image that the program builds on.
func base(ctx context.Context) (string, error) {
	engine, err := sandbox.Connect("")
	if err != nil {
		return "", err
	}
	defer engine.Close()
	found, err := engine.EnsureBase(ctx, sandbox.BaseOptions{Ref: "debian:bookworm-slim"}, nil)
	return found.Ref, err
}

// writeContext writes what the program builds into a folder.
func (b *bench) writeContext(profile string) (string, error) {
	catalog, err := docker.Shipped()
	if err != nil {
		return "", err
	}
	text, err := catalog.Dockerfile(docker.Selection{Profile: profile}, docker.Style{CacheMounts: true})
	if err != nil {
		return "", err
	}
	files, err := docker.Sandbox()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(b.dir, "same")
	if err := copyFiles(folder, files); err != nil {
		return "", err
	}
	return folder, os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte(text), 0o644)
}

func copyFiles(folder string, files fs.FS) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		target := filepath.Join(folder, name)
		if err != nil || entry.IsDir() {
			return errors.Join(err, os.MkdirAll(target, 0o755))
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, info.Mode().Perm()|0o644)
	})
}

// writeSingleLayer writes the same packages as one layer.
func (b *bench) writeSingleLayer(profile string) (string, error) {
	catalog, err := docker.Shipped()
	if err != nil {
		return "", err
	}
	layers, err := catalog.Layers(docker.Selection{Profile: profile, Late: []string{late}})
	if err != nil {
		return "", err
	}
	var names []string
	for _, layer := range layers {
		names = append(names, layer.Packages...)
	}
	text := "ARG BASE\nFROM ${BASE}\nENV DEBIAN_FRONTEND=noninteractive\nRUN apt-get update && apt-get install -y --no-install-recommends " +
		strings.Join(names, " ") + fmt.Sprintf(" && rm -rf /var/lib/apt/lists/* # %d\n", os.Getpid())
	folder := filepath.Join(b.dir, "single")
	return folder, errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte(text), 0o644))
}

// dockerBuild builds a folder with the docker program.
func (b *bench) dockerBuild(ctx context.Context, folder string) (time.Duration, error) {
	ref, err := base(ctx)
	if err != nil {
		return 0, err
	}
	build := exec.CommandContext(ctx, b.docker, "build", "-q", "-t", b.image+"-docker", "--build-arg", "BASE="+ref, folder)
	build.Env = append(os.Environ(), "DOCKER_BUILDKIT=1")
	begun := time.Now()
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("docker build: %w\n%s", err, out)
	}
	return time.Since(begun), nil
}

func (b *bench) removeImages(ctx context.Context) {
	for _, end := range []string{"", "-previous", "-candidate", "-docker"} {
		_ = exec.CommandContext(ctx, b.docker, "rmi", "-f", b.image+end).Run()
	}
}
