package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
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
	Network bool   // asked on the engine's default network; else there is none
	Advice  bool   // a wrong answer is told, and no failure
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

// networkScript connects to a server of its own by the address that the
// container has on its network: that takes an address, a route and a working
// socket library, and nobody outside.
const networkScript = `import socket
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.connect(("192.0.2.1", 9))
address = probe.getsockname()[0]
server = socket.create_server((address, 0))
socket.create_connection((address, server.getsockname()[1]), 5)
server.accept()
print(address)`

// outsideScript reaches the distribution's mirror.
const outsideScript = `import glob, re, socket
text = "".join(open(f).read() for f in glob.glob("/etc/apt/sources.list*", recursive=True) + glob.glob("/etc/apt/sources.list.d/*") if not f.endswith(".d"))
host = re.search(r"https?://([^/\s:]+)", text).group(1)
socket.create_connection((host, 80), 5)
print(host)`

// NetworkProbes ask whether programs in the image can use a network, and
// whether the world is to be reached from it.
func NetworkProbes() []Probe {
	return []Probe{
		{Name: "network", Command: "python3 -c '" + networkScript + "'", Network: true},
		{Name: "internet", Command: "python3 -c '" + outsideScript + "'", Network: true, Advice: true},
	}
}

// Smoke starts an image as OpenClaw would (its own user, no capabilities, no
// network but for the probes of one) and asks every probe. It returns all
// answers, and a *SmokeError if some were wrong.
func (e *Engine) Smoke(ctx context.Context, imageRef string, probes []Probe) ([]Answer, error) {
	var answers, failed []Answer
	for _, network := range []bool{false, true} {
		asked := slices.DeleteFunc(slices.Clone(probes), func(p Probe) bool { return p.Network != network })
		some, err := e.smoke(ctx, imageRef, network, asked)
		answers = append(answers, some...)
		if err != nil {
			return answers, err
		}
	}
	for _, answer := range answers {
		if answer.ExitCode != 0 && !answer.Advice {
			failed = append(failed, answer)
		}
	}
	if len(failed) > 0 {
		return answers, &SmokeError{Failed: failed}
	}
	return answers, nil
}

// smoke asks in one container. An engine without a default network has none to
// be tested.
func (e *Engine) smoke(ctx context.Context, imageRef string, network bool, probes []Probe) (answers []Answer, err error) {
	if len(probes) == 0 || network && !e.hasBridge(ctx) {
		return nil, nil
	}
	host := &container.HostConfig{NetworkMode: "none", CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"}}
	if network {
		host.NetworkMode = "bridge"
	}
	id, err := e.startProbe(ctx, imageRef, host)
	defer e.stopProbe(ctx, id)
	if err != nil {
		return nil, err
	}
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
	}
	return answers, nil
}

func (e *Engine) hasBridge(ctx context.Context) bool {
	_, err := e.api.NetworkInspect(ctx, "bridge", network.InspectOptions{})
	return err == nil
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
