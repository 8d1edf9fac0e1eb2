package harness

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// Sandbox is a container with OpenClaw's labels and a small web server in it,
// as an agent's sandbox looks that shows a page.
type Sandbox struct {
	ID   string
	Name string
}

// pageImage is built from nothing but one static binary: nothing is pulled. It
// has a name of this run, so that it can be removed with it.
func (e *Engine) pageImage() string { return "fraktalia-e2e-page:" + strings.ToLower(e.run) }

// bareImage is the same without the relay.
func (e *Engine) bareImage() string { return e.pageImage() + "-bare" }

// BuildPage compiles the web server and imports it as an image, with the relay
// where Fraktalia's own images have it, and as one without.
func (e *Engine) BuildPage(ctx context.Context, dir string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	binary := filepath.Join(dir, "page")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./e2e/harness/page")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the sandbox's page: %w\n%s", err, out)
	}
	files := map[string]string{"page": binary}
	if err := e.importImage(ctx, e.bareImage(), files); err != nil {
		return err
	}
	return e.importImage(ctx, e.pageImage(), withRelay(root, binary))
}

func withRelay(root, page string) map[string]string {
	return map[string]string{"page": page,
		"usr/local/bin/fraktalia-relay": filepath.Join(root, "docker", "sandbox", "relay", "fraktalia-relay-"+runtime.GOARCH)}
}

// PageArchive is the page's image as a tar, for another engine; BuildPage has
// compiled it into dir.
func (e *Engine) PageArchive(dir string) (io.Reader, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	return tarOf(withRelay(root, filepath.Join(dir, "page")))
}

// importImage makes an image of a few programs.
func (e *Engine) importImage(ctx context.Context, name string, files map[string]string) error {
	archive, err := tarOf(files)
	if err != nil {
		return err
	}
	source := image.ImportSource{Source: archive, SourceName: "-"}
	out, err := e.real.ImageImport(ctx, source, name, image.ImportOptions{Changes: []string{`CMD ["/page"]`}})
	if err != nil {
		return fmt.Errorf("import the sandbox's image: %w", err)
	}
	defer out.Close()
	_, err = io.Copy(io.Discard, out)
	return err
}

func tarOf(files map[string]string) (io.Reader, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for name, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
	return &archive, w.Close()
}

// StartSandbox runs a sandbox of agent; its page says word on every port given.
func (e *Engine) StartSandbox(ctx context.Context, agent, word string, ports ...string) (*Sandbox, error) {
	return e.start(ctx, e.pageImage(), "", agent, append([]string{"/page", word}, ports...))
}

// StartBareSandbox runs one whose image has no relay.
func (e *Engine) StartBareSandbox(ctx context.Context, agent, word string, ports ...string) (*Sandbox, error) {
	return e.start(ctx, e.bareImage(), "", agent, append([]string{"/page", word}, ports...))
}

// StartOfflineSandbox runs one without network.
func (e *Engine) StartOfflineSandbox(ctx context.Context, agent, word string, ports ...string) (*Sandbox, error) {
	return e.start(ctx, e.pageImage(), "none", agent, append([]string{"/page", word}, ports...))
}

// StartImage runs a sandbox of an image, without network.
func (e *Engine) StartImage(ctx context.Context, image, agent string, command ...string) (*Sandbox, error) {
	return e.start(ctx, image, "none", agent, command)
}

func (e *Engine) start(ctx context.Context, image, network, agent string, command []string) (*Sandbox, error) {
	name := fmt.Sprintf("fraktalia-e2e-%s-%s", e.run, agent)
	made, err := e.real.ContainerCreate(ctx, &container.Config{
		Image: image,
		Cmd:   command,
		Labels: map[string]string{
			"openclaw.sandbox":    "1",
			"openclaw.sessionKey": "agent:" + agent + ":workspace:abc",
			runLabel:              e.run,
		},
	}, &container.HostConfig{NetworkMode: container.NetworkMode(network)}, nil, nil, name)
	if err != nil {
		return nil, fmt.Errorf("make a sandbox: %w", err)
	}
	if err := e.real.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return nil, fmt.Errorf("start a sandbox: %w", err)
	}
	return &Sandbox{ID: made.ID, Name: name}, nil
}

// StartSandboxOf runs a sandbox of agent from an image that the test has made;
// nothing is served in it.
func (e *Engine) StartSandboxOf(ctx context.Context, agent, image string) (*Sandbox, error) {
	name := fmt.Sprintf("fraktalia-e2e-%s-%s-of", e.run, agent)
	made, err := e.real.ContainerCreate(ctx, &container.Config{
		Image:  image,
		Labels: map[string]string{"openclaw.sandbox": "1", "openclaw.sessionKey": "agent:" + agent + ":workspace:def", runLabel: e.run},
	}, nil, nil, nil, name)
	if err != nil {
		return nil, fmt.Errorf("make a sandbox of %s: %w", image, err)
	}
	if err := e.real.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return nil, fmt.Errorf("start a sandbox of %s: %w", image, err)
	}
	return &Sandbox{ID: made.ID, Name: name}, nil
}

// Runs says whether a sandbox runs.
func (e *Engine) Runs(ctx context.Context, s *Sandbox) bool {
	found, err := e.real.ContainerInspect(ctx, s.ID)
	return err == nil && found.State.Running
}

// RemoveSandbox kills and removes it, as OpenClaw does before it makes it anew.
func (e *Engine) RemoveSandbox(ctx context.Context, s *Sandbox) error {
	return e.real.ContainerRemove(ctx, s.ID, container.RemoveOptions{Force: true})
}

// RemoveSandboxes removes every container of this run, and the page's images.
func (e *Engine) RemoveSandboxes(ctx context.Context) error {
	list, err := e.real.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", runLabel+"="+e.run))})
	if err != nil {
		return fmt.Errorf("list sandboxes: %w", err)
	}
	for _, c := range list {
		if err := e.real.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}); err != nil {
			return fmt.Errorf("remove sandbox: %w", err)
		}
	}
	for _, name := range []string{e.pageImage(), e.bareImage()} {
		if e.ImageID(ctx, name) == "" {
			continue
		}
		if err := e.RemoveImage(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// ImageID is the id of an image, empty where there is none by that name.
func (e *Engine) ImageID(ctx context.Context, name string) string {
	found, err := e.real.ImageInspect(ctx, name)
	if err != nil {
		return ""
	}
	return found.ID
}

// RemoveImage removes an image that a test has made.
func (e *Engine) RemoveImage(ctx context.Context, name string) error {
	_, err := e.real.ImageRemove(ctx, name, image.RemoveOptions{Force: true})
	return err
}
