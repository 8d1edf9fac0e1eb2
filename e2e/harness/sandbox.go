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

// BuildPage compiles the web server and imports it as an image.
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
	archive, err := tarOf(binary)
	if err != nil {
		return err
	}
	source := image.ImportSource{Source: archive, SourceName: "-"}
	out, err := e.real.ImageImport(ctx, source, e.pageImage(), image.ImportOptions{Changes: []string{`CMD ["/page"]`}})
	if err != nil {
		return fmt.Errorf("import the sandbox's image: %w", err)
	}
	defer out.Close()
	_, err = io.Copy(io.Discard, out)
	return err
}

func tarOf(binary string) (io.Reader, error) {
	text, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{Name: "page", Mode: 0o755, Size: int64(len(text))}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	return &archive, w.Close()
}

// StartSandbox runs a sandbox of agent; its page says word on every port given.
func (e *Engine) StartSandbox(ctx context.Context, agent, word string, ports ...string) (*Sandbox, error) {
	name := fmt.Sprintf("fraktalia-e2e-%s-%s", e.run, agent)
	made, err := e.real.ContainerCreate(ctx, &container.Config{
		Image: e.pageImage(),
		Cmd:   append([]string{"/page", word}, ports...),
		Labels: map[string]string{
			"openclaw.sandbox":    "1",
			"openclaw.sessionKey": "agent:" + agent + ":workspace:abc",
			runLabel:              e.run,
		},
	}, nil, nil, nil, name)
	if err != nil {
		return nil, fmt.Errorf("make a sandbox: %w", err)
	}
	if err := e.real.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return nil, fmt.Errorf("start a sandbox: %w", err)
	}
	return &Sandbox{ID: made.ID, Name: name}, nil
}

// RemoveSandbox kills and removes it, as OpenClaw does before it makes it anew.
func (e *Engine) RemoveSandbox(ctx context.Context, s *Sandbox) error {
	return e.real.ContainerRemove(ctx, s.ID, container.RemoveOptions{Force: true})
}

// RemoveSandboxes removes every container of this run, and the page's image.
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
	if e.ImageID(ctx, e.pageImage()) == "" {
		return nil
	}
	return e.RemoveImage(ctx, e.pageImage())
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
