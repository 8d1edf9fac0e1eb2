package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/remote/remotetest"
)

// attic is a deployment whose sandboxes live on another machine, too, and which
// has a Dockerfile of its own: that machine has no way to the distribution.
type attic struct {
	*workshop
	machine *remotetest.Machine
}

const ownDockerfile = `ARG BASE
FROM ${BASE}
ARG AGENT_UID
ARG AGENT_GID
RUN getent group ${AGENT_GID} || groupadd --gid ${AGENT_GID} agent
RUN getent passwd ${AGENT_UID} || useradd --uid ${AGENT_UID} --gid ${AGENT_GID} agent
USER ${AGENT_UID}:${AGENT_GID}
ENV ROUND=`

// The whole life of an image on another machine: built there, rolled back,
// pruned; the connection lost in the middle, the program killed in the middle.
func TestTheImageOnAnotherHost(t *testing.T) {
	t.Parallel() // its image is built on a machine of its own
	m, err := remotetest.Start()
	must(t, err)
	t.Cleanup(m.Stop)
	must(t, m.StartEngine())
	importBase(t, m)
	page, err := shared.engine.PageArchive(shared.dir)
	must(t, err)
	must(t, m.Import("page", page))

	s := newSolo(t, "attic")
	must(t, s.SetConfig("hosts: []", fmt.Sprintf("hosts:\n  - name: attic\n    address: %s@%s\n    key_file: %s\n    known_hosts: %s\n    socket: %s\n",
		m.User, m.Address, m.KeyFile, m.KnownHosts, m.Socket)))
	must(t, s.SetConfig(`dockerfile: ""`, "dockerfile: own/Dockerfile"))
	must(t, os.Mkdir(filepath.Join(s.DataDir, "own"), 0o755))
	a := &attic{&workshop{solo: s, fragment: filepath.Join(s.DataDir, "own", "Dockerfile")}, m}
	a.write(t, ownDockerfile+"1\n")
	s.start(t)
	t.Run("asked where, and built there", a.asked)
	if t.Failed() {
		return
	}
	t.Run("its containers are made anew", a.anew)
	t.Run("rolled back", a.back)
	t.Run("pruned", a.pruned)
	t.Run("the connection is lost", a.lost)
	t.Run("the program is killed", a.killedThere)
}

// importBase gives the machine a base image that has Python.
func importBase(t *testing.T, m *remotetest.Machine) {
	t.Helper()
	debian := exec.CommandContext(patient(t), "mmdebstrap", "--variant=minbase", "--mode=root", "--include=python3-minimal", "bookworm", "-")
	tar, err := debian.StdoutPipe()
	must(t, err)
	must(t, debian.Start())
	must(t, m.Import("debian:bookworm-slim", tar, `CMD ["bash"]`))
	must(t, debian.Wait())
}

// there is the image's id over there, "" where there is none.
func (a *attic) there(suffix string) string {
	id, err := a.machine.Docker("image", "inspect", "-f", "{{.Id}}", shared.image()+suffix)
	if err != nil {
		return ""
	}
	return id
}

func (a *attic) asked(t *testing.T) {
	onAttic(t, a.machine, "fern", "none", "far away", "127.0.0.1:9043")
	sandboxSays(t, a.solo, "fern on attic")
	ctx, here := patient(t), a.live(t)
	turn, err := a.admin.Say(ctx, "!rebuild-sandbox")
	must(t, err)
	question, err := turn.WaitMarked(ctx, "1️⃣", "2️⃣", "3️⃣")
	must(t, err)
	if !strings.Contains(question.Body, "this machine and attic") || !strings.Contains(question.Body, "2️⃣ attic") {
		t.Errorf("asked:\n%s", question.Body)
	}
	_, err = a.admin.React(ctx, question.ID, "2️⃣")
	must(t, err)
	out, err := turn.Final(ctx)
	must(t, err)
	if !out.OK || !strings.Contains(out.Body, "On attic:") || a.there("") == "" {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	doctorSays(t, a.solo, "sandbox image on attic", "", "tests passed")
	if a.live(t) != here {
		t.Error("this machine's image has changed, too")
	}
	if list := say(t, a.admin, "!sandbox"); !strings.Contains(list.Body, shared.image()+" on attic has ") {
		t.Errorf("!sandbox does not tell of the image there:\n%s", list.Body)
	}
}

// sandboxSays repeats until !sandbox has the words.
func sandboxSays(t *testing.T, s *solo, words string) {
	t.Helper()
	ctx := within(t)
	for list := ""; !strings.Contains(list, words); list = say(t, s.admin, "!sandbox").Body {
		if ctx.Err() != nil {
			t.Fatalf("!sandbox never says %q:\n%s", words, list)
		}
	}
}

func (a *attic) anew(t *testing.T) {
	first := a.there("")
	_, err := a.machine.Docker("run", "-d", "--name", "openclaw-sbx-flo", "--network", "none", "--label", "openclaw.sandbox=1",
		"--label", "openclaw.sessionKey=agent:flo:workspace:abc", shared.image(), "sleep", "1000")
	must(t, err)
	sandboxSays(t, a.solo, "flo on attic")
	a.write(t, ownDockerfile+"2\n")
	out := a.say(t, "!rebuild-sandbox --on flo --recreate")
	if !out.OK || a.there("") == first || a.there("-previous") != first || !strings.Contains(out.Body, "Removed: flo") {
		t.Fatalf("ok=%v\n%s", out.OK, out.Body)
	}
	if _, err := a.machine.Docker("inspect", "openclaw-sbx-flo"); err == nil {
		t.Error("the container on the old image is still there")
	}
	if _, err := a.machine.Docker("inspect", "openclaw-sbx-fern"); err != nil {
		t.Errorf("a container of another image went, too: %v", err)
	}
}

func (a *attic) back(t *testing.T) {
	second, first := a.there(""), a.there("-previous")
	if out := a.say(t, "!rollback-sandbox --on attic"); !out.OK || a.there("") != first || a.there("-previous") != second {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := a.say(t, "!undo"); !out.OK || a.there("") != second {
		t.Errorf("undone: ok=%v\n%s", out.OK, out.Body)
	}
	if out := a.say(t, "!rollback-sandbox --on nowhere"); out.OK || !strings.Contains(out.Body, "(attic)") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
}

func (a *attic) pruned(t *testing.T) {
	first := a.there("-previous")
	a.write(t, ownDockerfile+"3\n")
	if out := a.say(t, "!rebuild-sandbox --on attic"); !out.OK {
		t.Fatal(out.Body)
	}
	turn, err := a.admin.Say(within(t), "!sandbox prune")
	must(t, err)
	question, err := turn.WaitQuestion(within(t))
	must(t, err)
	if !strings.Contains(question.Body, strings.TrimPrefix(first, "sha256:")[:12]+" on attic") {
		t.Errorf("asked:\n%s", question.Body)
	}
	_, err = a.admin.React(within(t), question.ID, client.Yes)
	must(t, err)
	if out, err := turn.Final(within(t)); err != nil || !out.OK {
		t.Errorf("%v\n%s", err, out.Body)
	}
	if _, err := a.machine.Docker("image", "inspect", first); err == nil || a.there("") == "" || a.there("-previous") == "" {
		t.Errorf("the old image is there: %v; live %q, before %q", err == nil, a.there(""), a.there("-previous"))
	}
}

func (a *attic) lost(t *testing.T) {
	ctx, before := patient(t), a.there("")
	a.write(t, ownDockerfile+"4\nRUN echo begun && sleep 600\n")
	turn, err := a.admin.Say(ctx, "!rebuild-sandbox --on attic")
	must(t, err)
	must(t, turn.Wait(ctx, "the step that lasts", func(turn *client.Turn) bool {
		out, _ := turn.Now()
		return strings.Contains(out.Body, "begun") || strings.Contains(out.Body, "sleep 600")
	}))
	a.machine.StopSSH()
	out, err := turn.Final(ctx)
	must(t, err)
	if out.OK || !strings.Contains(out.Body, "The Docker engine on attic does not answer, or the connection to it was lost") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	must(t, a.machine.StartSSH())
	statusSays(t, a.solo, "over ssh")
	if a.there("") != before {
		t.Error("the image in use has changed")
	}
	a.write(t, ownDockerfile+"5\n")
	if out := a.say(t, "!rebuild-sandbox --on attic"); !out.OK || a.there("") == before {
		t.Errorf("afterwards: ok=%v\n%s", out.OK, out.Body)
	}
}

func (a *attic) killedThere(t *testing.T) {
	ctx, before := patient(t), a.there("")
	must(t, a.Process.Stop(ctx))
	a.write(t, ownDockerfile+"6\n")
	a.start(t, "FRAKTALIA_CRASH_AT=rebuild.candidate")
	turn, err := a.admin.Say(ctx, "!rebuild-sandbox --on attic")
	must(t, err)
	a.waitKilled(ctx, t)
	if a.there("-candidate") == "" {
		t.Error("there was no candidate to clean up")
	}
	a.start(t)
	if out, err := turn.Final(ctx); err != nil || out.OK || !strings.Contains(out.Body, "stopped while I ran") {
		t.Errorf("%v ok=%v\n%s", err, out.OK, out.Body)
	}
	_, err = a.admin.WaitBot(ctx, func(e client.Event) bool {
		return strings.Contains(e.Content.AsMessage().Body, shared.image()+" on attic was being built when I was killed. The image in use is as it was")
	})
	must(t, err)
	if left := a.there("-candidate"); left != "" || a.there("") != before {
		t.Errorf("the candidate is %q, the live image has changed: %v", left, a.there("") != before)
	}
}
