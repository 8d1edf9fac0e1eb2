package command

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/procnet"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// desk is a Conversation that remembers what was said.
type desk struct {
	updates  chan reply.Doc // may be nil
	confided []Confidence
	yes      bool
	choice   int
	asked    func()    // what happens while a question is open; may be nil
	question reply.Doc // the last one
}

func (d *desk) Update(doc reply.Doc) {
	if d.updates != nil {
		d.updates <- doc
	}
}
func (d *desk) Attach(context.Context, reply.File) error { return nil }
func (d *desk) Ask(_ context.Context, question reply.Doc) (bool, error) {
	d.question = question
	if d.asked != nil {
		d.asked()
	}
	return d.yes, nil
}
func (d *desk) Choose(_ context.Context, question reply.Doc, answers []reply.Line) (int, error) {
	d.question = append(slices.Clone(question), reply.Lines{Items: answers})
	if d.asked != nil {
		d.asked()
	}
	return d.choice, nil
}
func (d *desk) Cancelable(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
func (d *desk) Confide(ctx context.Context, secret Confidence) error {
	d.confided = append(d.confided, secret)
	return ctx.Err()
}

// gateForwards lets a test hold ports as another program would.
type gateForwards struct {
	*forwarder.Forwarder
	held   map[int]string
	inside map[string][]procnet.Listener // by container
	told   map[forwarder.Key]bool
	bound  map[string][]netip.AddrPort // for datagrams, by container
}

func (g gateForwards) Addresses(bind forwarder.Bind) (all, beyond []netip.Addr, err error) {
	return forwarder.Addresses(bind)
}
func (g gateForwards) Listeners(_ context.Context, s forwarder.Sandbox) ([]procnet.Listener, error) {
	list, ok := g.inside[s.ID]
	if !ok {
		return nil, errors.New("not to be seen")
	}
	return list, nil
}
func (g gateForwards) Listening(s forwarder.Sandbox, udp bool) (addrs []netip.AddrPort, seen bool) {
	if udp {
		addrs, seen = g.bound[s.ID]
		return addrs, seen
	}
	list, seen := g.inside[s.ID]
	for _, l := range list {
		addrs = append(addrs, l.Addr)
	}
	return addrs, seen
}
func (g gateForwards) Told(key forwarder.Key, answers bool) { g.told[key] = answers }

func (g gateForwards) Open(spec forwarder.Spec) error {
	if holder, ok := g.held[spec.Port]; ok {
		return &forwarder.InUseError{Addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(spec.Port)), Holder: holder}
	}
	if spec.Bind == 0 {
		spec.Bind = forwarder.Loopback
	}
	return g.Forwarder.Open(spec)
}

type bench struct {
	commands *Commands
	records  *store.Store
	forwards gateForwards
	town     *town
	desk     *desk
	rows     int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	records, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close() })
	b := &bench{records: records, desk: &desk{yes: true}, forwards: gateForwards{forwarder.New(forwarder.Options{}), map[int]string{}, map[string][]procnet.Listener{}, map[forwarder.Key]bool{}, map[string][]netip.AddrPort{}}}
	t.Cleanup(func() {
		for _, status := range b.forwards.List() {
			if err := b.forwards.Close(status.Key()); err != nil {
				t.Error(err)
			}
		}
	})
	b.town = newTown("bob")
	b.commands = New(Services{
		Forwards: b.forwards, People: b.town, Addresses: b.town, Server: b.town.server, Agents: &claw{path: filepath.Join(t.TempDir(), "none.json")}, Records: records,
		Health: []Check{{Part: "sun", Look: func(context.Context) Finding { return Finding{Mark: NotWell, Fact: "it sets", Todo: "wait"} }}},
		Settings: Settings{FirstPort: 29000, LastPort: 29099, ServerName: "test", Owners: []string{"@o:test"}, Bot: "@bot:test", CardLifetime: 30 * time.Minute,
			Address: func(context.Context) string { return "http://home" }, Hosts: func(context.Context) []string { return nil }},
	})
	return b
}

// specs are the open forwards as they were asked for.
func (b *bench) specs() (list []forwarder.Spec) {
	for _, status := range b.forwards.List() {
		list = append(list, status.Spec)
	}
	return list
}

// do runs a line as an owner in the room and returns what people read.
func (b *bench) do(t *testing.T, line string) (string, error) {
	t.Helper()
	return b.doAs(t, Request{Sender: "@o:test", Role: Owner}, line)
}

func (b *bench) doAs(t *testing.T, request Request, line string) (string, error) {
	t.Helper()
	args, err := Split(line)
	if err != nil {
		return "", err
	}
	request.Args, request.Line = args, line
	answer, err := b.commands.Do(context.Background(), request, b.desk)
	return answer.Doc.Text(), err
}

func TestMistakesGetOnePlainSentence(t *testing.T) {
	b := newBench(t)
	b.forwards.held[29007] = "nginx (pid 812)"
	if _, err := b.do(t, "forward 29001"); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"forwrd 29005":                 "There is no !forwrd. Did you mean !forward or !forwards?",
		"xyzzy":                        "There is no !xyzzy. !help lists what there is.",
		"forward":                      "Say a port, for example 9005.\nUsage: !forward PORT... [--to PORT] [--agent NAME] [--for TIME] [--on WHERE]",
		"forward 80":                   "I forward the ports 29000 to 29099 only; 80 is outside. The range is set by forwards.range in fraktalia.yaml.",
		"forward https":                `"https" is no port: say a number such as 29000, or a range such as 29000-29009.`,
		"forward 29009-29000":          "29009-29000 runs backwards: say 29000-29009.",
		"forward 99999999999999999999": `"99999999999999999999" is no port: say a number such as 29000, or a range such as 29000-29009.`,
		"forward 29007":                "Port 29007 is taken by nginx (pid 812). Choose another port, or stop that program.",
		"forward 29001":                "Port 29001 is forwarded already. !forwards lists what is open.",
		"forward 29002 --to 70000":     "--to takes one port between 1 and 65535, for one forward.",
		"forward 29002 --bogus":        "Unknown flag: --bogus.\nUsage: !forward PORT... [--to PORT] [--agent NAME] [--for TIME] [--on WHERE]",
		"unforward 29050":              "Port 29050 is not forwarded. !forwards lists what is open.",
		"forwards now":                 `"now" is one word too many.` + "\nUsage: !forwards",
		"adduser bob":                  "@bob:test exists already (or did once: names are not given twice). Choose another name.",
		"adduser @eve:other.example":   "I can make accounts on test only, not on other.example.",
		"adduser Alice":                "Account names have no capital letters. alice would do.",
		"adduser #room:test":           `Account names cannot have "#" in them.`,
		"help forwrd":                  "There is no !forwrd. Did you mean !forward or !forwards?",
		"trust @o:test":                "For safety this works only in the machine's own shell: fraktalia trust",
		"sandbox lgos":                 "There is no sandbox lgos. Did you mean logs?",
		"sandbox nothing like it":      "There is no sandbox nothing. There are logs, prune, run.",
		"sandbox run mox ls":           "Put -- in front of the command.\nUsage: !sandbox run [--limit TIME] [AGENT] -- COMMAND",
		"sandbox run mox max -- ls":    "Put -- in front of the command.",
		"sandbox run mox --":           "Say the command behind --.",
		"sandbox run --":               "Say the command behind --.",
		"sandbox run --limit 9h -- ls": "--limit takes a time between 1s and 6h, such as 30s or 1h.",
		"sandbox run --limit x -- ls":  "Invalid argument \"x\" for \"--limit\" flag",
		"sandbox logs mox --lines 0":   "--lines takes a number between 1 and 10000.",
		"sandbox logs mox max":         `"max" is one word too many.`,
		"sandbox prune all":            `"all" is one word too many.`,
		"recreate-sandbox mox max":     `"max" is one word too many.`,
		"adduser carol --json":         "!adduser has no table, so there is no JSON of it.",
	} {
		_, err := b.do(t, line)
		var problem *Problem
		if !errors.As(err, &problem) || !strings.HasPrefix(problem.Sentence, want) {
			t.Errorf("%s\n gave %v\nwant %s", line, err, want)
		}
	}
	if saved, _ := b.records.Forwards(context.Background()); len(saved) != 1 {
		t.Errorf("mistakes left %+v", saved)
	}
}

func TestStatusSaysWhatToDo(t *testing.T) {
	b := newBench(t)
	text, err := b.do(t, "status")
	if err != nil || !strings.Contains(text, "❌  sun   it sets") || !strings.Contains(text, "• sun: wait") {
		t.Errorf("%s %v", text, err)
	}
	if text, err = b.do(t, "status --json"); err != nil || !strings.Contains(text, `"mark": "failed"`) {
		t.Errorf("%s %v", text, err)
	}
}

// A command that breaks is an internal error of its own, and its lane goes on.
func TestPanicIsAnErrorOfOneCommand(t *testing.T) {
	b := newBench(t)
	_, err := b.do(t, "adduser boom")
	var problem *Problem
	if err == nil || errors.As(err, &problem) || !strings.Contains(err.Error(), "panic: boom") {
		t.Errorf("gave %v", err)
	}
	if _, err := b.do(t, "adduser carol"); err != nil {
		t.Error(err)
	}
}

// The gate is at the root, and nothing gets past it: by default nobody may do
// anything.
func TestGateRefusesEveryCommand(t *testing.T) {
	b := newBench(t)
	for _, cmd := range (&run{}).tree().Commands() {
		for _, line := range []string{cmd.Name(), cmd.Name() + " 29001", cmd.Name() + " --help"} {
			_, err := b.doAs(t, Request{Sender: "@eve:test"}, line)
			var refused *Refused
			if !errors.As(err, &refused) {
				t.Errorf("%s gave a stranger %v", line, err)
			}
		}
	}
	if open := b.forwards.List(); len(open) != 0 {
		t.Errorf("a stranger opened %+v", open)
	}
}

func TestLanes(t *testing.T) {
	b := newBench(t)
	for line, want := range map[string]struct {
		lane  string
		quick bool
	}{
		"forward 1": {"forwards", false}, "unforward 1": {"forwards", false}, "adduser a": {"people", false}, "status": {"", true},
		"rebuild-sandbox": {"", false}, "forwrd": {"", true}, "forward --help": {"", true}, "help": {"", true},
		"sandbox": {"", true}, "sandbox run mox -- rm -h": {"", false}, "sandbox run --help": {"", true}, "sandbox prune": {"images", false},
	} {
		args, _ := Split(line)
		if lane, quick := b.commands.Lane(args); lane != want.lane || quick != want.quick {
			t.Errorf("%s: lane %q quick %v", line, lane, quick)
		}
	}
}

// What the shell hands on is the line that was typed, flags and all.
func TestRelayedLine(t *testing.T) {
	for typed, want := range map[string]string{
		"forward 9005 --agent mox --to=80":  "forward --agent=mox --to=80 -- 9005",
		"forwards --json":                   "forwards --json=true --",
		"adduser -- -x":                     "adduser -- -x",
		"sandbox --json":                    "sandbox --json=true --",
		"sandbox logs mox --lines 3":        "sandbox logs --lines=3 -- mox",
		"sandbox run mox -- ls -l":          "sandbox run -- mox -- ls -l",
		"sandbox run --limit 9m -- ls -- x": "sandbox run --limit=9m0s -- -- ls -- x",
	} {
		var got []string
		root := &cobra.Command{Use: "fraktalia"}
		root.AddCommand(Relayed(func(_ context.Context, args []string) error { got = args; return nil })...)
		root.SetArgs(strings.Fields(typed))
		if err := root.Execute(); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s was handed on as %q, %v; want %s", typed, got, err, want)
		}
	}
}
