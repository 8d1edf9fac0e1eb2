package sandbox

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"
)

// probeLife is when a container that looks into an image ends by itself, in
// seconds, should its maker have been killed.
const probeLife = "600"

// probeOutput bounds what is kept of one answer: the names of all packages of
// a distribution are 1.5 MB.
const probeOutput = 8 << 20

// Probe is a question to an image.
type Probe struct {
	Name    string
	Command string // for /bin/sh; status 0 is the right answer
}

// Answer is what an image said to a probe.
type Answer struct {
	Probe
	ExitCode int
	Output   string // one line: the first of a right answer (a version), the last of a wrong one (the error)
}

// SmokeError lists the probes that an image failed.
type SmokeError struct{ Failed []Answer }

func (e *SmokeError) Error() string {
	var failed []string
	for _, a := range e.Failed {
		failed = append(failed, fmt.Sprintf("%s (status %d: %s)", a.Name, a.ExitCode, a.Output))
	}
	return "the image failed: " + strings.Join(failed, "; ")
}

// OpenClawProbes ask for what OpenClaw needs of a sandbox image: a shell and
// python3 for its file tools, and a passwd entry, without which ssh refuses to
// work.
func OpenClawProbes() []Probe {
	return []Probe{
		{Name: "shell", Command: "exit 0"},
		{Name: "user", Command: `getent passwd "$(id -u)"`},
		{Name: "python3", Command: "python3 --version"},
	}
}

// Smoke starts an image as OpenClaw would (its own user, no capabilities, no
// network) and asks every probe. It returns all answers, and a *SmokeError if
// some were wrong.
func (e *Engine) Smoke(ctx context.Context, imageRef string, probes []Probe) ([]Answer, error) {
	id, err := e.startProbe(ctx, imageRef, &container.HostConfig{
		NetworkMode: "none",
		CapDrop:     []string{"ALL"},
		SecurityOpt: []string{"no-new-privileges"},
	})
	defer e.stopProbe(ctx, id)
	if err != nil {
		return nil, err
	}
	var answers, failed []Answer
	for _, probe := range probes {
		output, code, err := e.ask(ctx, id, probe.Command)
		if err != nil {
			return answers, err
		}
		answer := Answer{Probe: probe, ExitCode: code, Output: lastLine(output)}
		if code == 0 {
			first, _, _ := strings.Cut(strings.TrimSpace(output), "\n")
			answer.Output = shortened(plainLine(first))
		}
		answers = append(answers, answer)
		if code != 0 {
			failed = append(failed, answer)
		}
	}
	if len(failed) > 0 {
		return answers, &SmokeError{Failed: failed}
	}
	return answers, nil
}

func lastLine(output string) string {
	output = strings.TrimSpace(output)
	return shortened(plainLine(output[strings.LastIndexByte(output, '\n')+1:]))
}

// startProbe starts an idle container. The id is returned with an error too if
// there is something to remove.
func (e *Engine) startProbe(ctx context.Context, imageRef string, host *container.HostConfig) (string, error) {
	host.AutoRemove = true
	created, err := e.api.ContainerCreate(ctx, &container.Config{
		Image:      imageRef,
		Entrypoint: []string{"sleep", probeLife},
		Labels:     map[string]string{ImageLabel: "probe"},
	}, host, nil, nil, "")
	if err != nil {
		return "", e.engineError(err, "look into image %s", imageRef)
	}
	if err := e.api.ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
		return created.ID, e.engineError(err, "start image %s", imageRef)
	}
	return created.ID, nil
}

// stopProbe removes the container, also after the context's end. Where it
// cannot, the container ends and goes by itself.
func (e *Engine) stopProbe(ctx context.Context, id string) {
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), untagPatience)
	defer cancel()
	_ = e.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
}

// ask runs a command for /bin/sh in a container and waits for its end.
func (e *Engine) ask(ctx context.Context, id, command string) (output string, code int, err error) {
	both := Capture{Most: probeOutput}
	code, err = e.Exec(ctx, id, Command{Args: []string{"/bin/sh", "-c", command}, Stdout: &both, Stderr: &both})
	if err != nil {
		return "", 0, fmt.Errorf("ask %q: %w", command, err)
	}
	return both.String(), code, nil
}
