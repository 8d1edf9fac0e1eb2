package command

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/firewall/probe"
	"github.com/githabideri/fraktalia/sandbox"
)

// wall is an isolated network, or none, in which one try has been made.
type wall struct {
	missing bool
	err     error
	report  probe.Report
}

func (w *wall) Network() string                      { return "fraktalia" }
func (w *wall) Exists(context.Context) (bool, error) { return !w.missing, w.err }
func (w *wall) Prove(context.Context) (probe.Report, error) {
	if w.err == nil && w.missing {
		return probe.Report{}, &NoIsolation{"fraktalia"}
	}
	return w.report, w.err
}

func newWall(t *testing.T) (*bench, *claw, *wall) {
	t.Helper()
	b, c := newClaw(t)
	w := &wall{report: probe.Report{Network: "fraktalia", Findings: []probe.Finding{
		tried("this machine", "tcp", "192.168.50.5:80", probe.Prohibited, probe.Right), tried("this machine", "udp", "192.168.50.5:80", probe.Prohibited, probe.Right)}}}
	b.commands.services.Isolation = w
	return b, c, w
}

func tried(name, protocol, addr string, how probe.How, verdict probe.Verdict) probe.Finding {
	return probe.Finding{Seen: probe.Seen{Target: probe.Target{Name: name, Protocol: protocol, Addr: netip.MustParseAddrPort(addr)}, How: how, By: netip.MustParseAddr("10.99.0.1")},
		Want: probe.Closed, Verdict: verdict}
}

// An agent goes behind the firewall and comes out again, by one value of its
// entry; each time, and each time that it is taken back, its container goes.
func TestIsolationOnAndOff(t *testing.T) {
	b, c, _ := newWall(t)
	isolated := strings.Replace(clawText, "memory: '4g' }", "memory: '4g', network: 'fraktalia' }", 1)
	for i, step := range []struct{ line, want, text string }{
		{"isolation on mox", "Its container was taken away; OpenClaw makes a new one when it needs one: in a sandbox on the network fraktalia.", isolated},
		{"undo", "in a sandbox without any network.", clawText},
		{"config undo 2", "in a sandbox on the network fraktalia.", isolated}, // the undo itself
		{"isolation off mox", "in a sandbox without any network.", clawText},
		{"undo", "in a sandbox on the network fraktalia.", isolated},
	} {
		if out := b.journaled(t, step.line); !strings.Contains(out, step.want) || c.text(t) != step.text {
			t.Errorf("%s: %s\n%s", step.line, out, c.text(t))
		}
		if len(c.removed) != i+1 || c.removed[i] != "mox" {
			t.Errorf("after %s the removed containers are %v", step.line, c.removed)
		}
	}
	if out := b.journaled(t, "isolation on mox"); !strings.Contains(out, "mox is isolated already.") {
		t.Error(out)
	}
	b.journaled(t, "agent mox set name Moxie")
	if b.journaled(t, "undo"); len(c.removed) != 5 {
		t.Errorf("the undo of something else took a container away: %v", c.removed)
	}
}

// An agent that is let out gets back the network that it had, whatever was
// changed meanwhile, and also when it was isolated more than once.
func TestIsolationOffGivesBackWhatWas(t *testing.T) {
	b, c, _ := newWall(t)
	own := strings.Replace(clawText, "memory: '4g' }", "memory: '4g', network: 'mine' }", 1)
	c.write(t, own)
	for range 2 {
		b.journaled(t, "isolation on mox")
		b.journaled(t, "agent max set name Maxine")
		if out := b.journaled(t, "isolation off mox"); !strings.Contains(out, "in a sandbox on the network mine.") || !strings.Contains(c.text(t), "mine") {
			t.Errorf("%s\n%s", out, c.text(t))
		}
		b.journaled(t, "isolation on mox")
		b.journaled(t, "undo")
	}
}

// Where all agents are isolated, one that is let out needs a network of its own.
func TestIsolationOffWhereItIsInherited(t *testing.T) {
	b, c, _ := newWall(t)
	c.write(t, "{ agents: { defaults: { sandbox: { mode: 'all', docker: { network: 'fraktalia' } } }, entries: { mox: {}, max: { sandbox: { mode: 'off' } } } } }\n")
	if out := b.journaled(t, "isolation off mox"); !strings.Contains(out, "in a sandbox on the network bridge.") || !strings.Contains(c.text(t), `bridge`) {
		t.Errorf("%s\n%s", out, c.text(t))
	}
	out, err := b.do(t, "isolation")
	if err != nil || !strings.Contains(out, "mox: in a sandbox on the network bridge") || !strings.Contains(out, "max: on this machine itself, without a sandbox") {
		t.Errorf("%s %v", out, err)
	}
}

func TestIsolationMistakes(t *testing.T) {
	shared := "{ agents: { defaults: { sandbox: { mode: 'all', scope: 'shared' } }, entries: { mox: {} } } }\n"
	for line, want := range map[string]string{
		"isolation no":         `"no" is neither on nor off.` + "\nUsage: !isolation",
		"isolation on":         "Say which agent, for example !isolation on mox.",
		"isolation off":        "Say which agent, for example !isolation off mox.",
		"isolation on mxo":     "There is no agent mxo. Did you mean mox?",
		"isolation off mxo":    "There is no agent mxo. Did you mean mox?",
		"isolation on max":     "max has no sandbox (sandbox.mode is off): its commands run on this machine itself.",
		"isolation on mox now": "",
	} {
		b, c, _ := newWall(t)
		_, err := b.do(t, line)
		var problem *Problem
		if !errors.As(err, &problem) || !strings.HasPrefix(problem.Sentence, want) || c.text(t) != clawText || len(c.removed) > 0 {
			t.Errorf("%s\n gave %v\nwant %s", line, err, want)
		}
	}
	for line, want := range map[string]string{
		"isolation":        "There is no isolated network fraktalia yet. Make it in the machine's shell: sudo fraktalia firewall apply",
		"isolation on mox": "There is no isolated network fraktalia yet. Make it in the machine's shell: sudo fraktalia firewall apply",
	} {
		b, c, w := newWall(t)
		w.missing = true
		if _, err := b.do(t, line); err == nil || err.Error() != want || c.text(t) != clawText {
			t.Errorf("%s gave %v", line, err)
		}
		w.err = &sandbox.EngineDownError{}
		if _, err := b.do(t, line); err == nil || !strings.HasPrefix(err.Error(), "The Docker engine does not answer") {
			t.Errorf("%s gave %v", line, err)
		}
	}
	b, c, _ := newWall(t)
	c.write(t, shared)
	if _, err := b.do(t, "isolation on mox"); err == nil || !strings.HasPrefix(err.Error(), "mox shares its sandbox with all agents") || c.text(t) != shared {
		t.Error(err)
	}
	if out, err := b.do(t, "isolation off mox"); err != nil || out != "mox is not on the isolated network: in a sandbox without any network." {
		t.Errorf("%s %v", out, err)
	}
}

// A surprise is a failure, and tells which.
func TestIsolationSurprises(t *testing.T) {
	b, _, w := newWall(t)
	out, err := b.do(t, "isolation")
	if err != nil || !strings.Contains(out, "All 2 tries from inside fraktalia went as expected.") || !strings.Contains(out, "192.168.50.5:80 tcp, udp") ||
		!strings.Contains(out, "max: on this machine itself") {
		t.Errorf("%s %v", out, err)
	}
	w.report.Findings[1] = tried("this machine", "udp", "192.168.50.5:80", probe.Open, probe.Surprise)
	_, err = b.do(t, "isolation")
	var problem *Problem
	if !errors.As(err, &problem) || !strings.HasPrefix(problem.Sentence, "1 of 2 tries from inside were a surprise. ") || !strings.Contains(problem.Sentence, "sudo fraktalia firewall apply") ||
		strings.Contains(problem.Detail.Text(), "surprise") || !strings.Contains(problem.Detail.Text(), "192.168.50.5:80 udp") {
		t.Errorf("%v", err)
	}
}
