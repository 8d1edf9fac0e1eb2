package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"github.com/githabideri/fraktalia/sandbox"
)

// Base sees to it that there is an image with a shell in it, as sandbox images
// have, and returns its name.
func (e *Engine) Base(ctx context.Context) (string, error) {
	engine, err := sandbox.Connect("")
	if err != nil {
		return "", err
	}
	defer engine.Close()
	base, err := engine.EnsureBase(ctx, sandbox.BaseOptions{Ref: "debian:bookworm-slim"}, nil)
	return base.Ref, err
}

// Tag gives an image another name.
func (e *Engine) Tag(ctx context.Context, name, tag string) error {
	return e.real.ImageTag(ctx, name, tag)
}

// Box says how an idle sandbox is made, as OpenClaw makes it.
type Box struct {
	Agent string // "" is the one that all agents share
	Image string
	User  string   // "" is the image's own
	Binds []string // HOST:INSIDE
	Name  string   // what tells it from others of the agent; "" for the only one
}

// StartBox runs a sandbox that does nothing by itself.
func (e *Engine) StartBox(ctx context.Context, b Box) (*Sandbox, error) {
	key := "shared"
	if b.Agent != "" {
		key = "agent:" + b.Agent + ":workspace:abc"
	}
	name := strings.TrimSuffix(fmt.Sprintf("fraktalia-e2e-%s-box-%s-%s", e.run, b.Agent, b.Name), "-")
	made, err := e.real.ContainerCreate(ctx, &container.Config{
		Image: b.Image, User: b.User, Cmd: []string{"sleep", "infinity"},
		Labels: map[string]string{"openclaw.sandbox": "1", "openclaw.sessionKey": key, runLabel: e.run},
	}, &container.HostConfig{Binds: b.Binds, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"}}, nil, nil, name)
	if err != nil {
		return nil, fmt.Errorf("make a box: %w", err)
	}
	if err := e.real.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return nil, fmt.Errorf("start a box: %w", err)
	}
	return &Sandbox{ID: made.ID, Name: name}, nil
}

// Exec runs a command in a sandbox as an agent does and returns its output;
// detached it does not wait.
func (e *Engine) Exec(ctx context.Context, s *Sandbox, detached bool, words ...string) (string, error) {
	made, err := e.real.ContainerExecCreate(ctx, s.ID, container.ExecOptions{Cmd: words, AttachStdout: !detached, AttachStderr: !detached})
	if err != nil {
		return "", fmt.Errorf("exec: %w", err)
	}
	if detached {
		return "", e.real.ContainerExecStart(ctx, made.ID, container.ExecStartOptions{Detach: true})
	}
	answer, err := e.real.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{Tty: false})
	if err != nil {
		return "", fmt.Errorf("exec: %w", err)
	}
	defer answer.Close()
	text, err := io.ReadAll(answer.Reader)
	return string(text), err
}

// Exists says whether a sandbox is there, in any state.
func (e *Engine) Exists(ctx context.Context, s *Sandbox) bool {
	_, err := e.real.ContainerInspect(ctx, s.ID)
	return err == nil
}

// Pause stops every process of a sandbox for a while.
func (e *Engine) Pause(ctx context.Context, s *Sandbox) error {
	return e.real.ContainerPause(ctx, s.ID)
}

// Unpause lets them go on.
func (e *Engine) Unpause(ctx context.Context, s *Sandbox) error {
	return e.real.ContainerUnpause(ctx, s.ID)
}

// StopSandbox ends it; it stays as a stopped container.
func (e *Engine) StopSandbox(ctx context.Context, s *Sandbox) error {
	now := 0
	return e.real.ContainerStop(ctx, s.ID, container.StopOptions{Timeout: &now})
}

// OldImage makes an image without a name, labelled as a sandbox image of ours,
// as one is whose name went to a newer one. It returns its id.
func (e *Engine) OldImage(ctx context.Context, word string) (string, error) {
	empty := image.ImportSource{Source: bytes.NewReader(make([]byte, 1024)), SourceName: "-"}
	out, err := e.real.ImageImport(ctx, empty, "", image.ImportOptions{
		Changes: []string{"LABEL " + sandbox.ImageLabel + "=sandbox", "LABEL " + runLabel + "=" + e.run, "LABEL word=" + word}})
	if err != nil {
		return "", fmt.Errorf("import an image: %w", err)
	}
	defer out.Close()
	var said struct{ Status string }
	err = json.NewDecoder(out).Decode(&said)
	return said.Status, err
}

// PageImage is the image of StartSandbox's containers.
func (e *Engine) PageImage() string { return e.pageImage() }
