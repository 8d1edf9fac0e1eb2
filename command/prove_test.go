package command

import (
	"context"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/sandbox"
)

// parlour is a room with an agent in it, which does some of what it is asked.
type parlour struct {
	b *bench
	c *claw
	// answers and writes say what it does; says is something else that it says,
	// forbidden that the host cannot read its file.
	answers, writes, forbidden bool
	says, hostname             string
	breaks                     bool // off, the first time
	err                        error
	file                       string
	heard                      []string // the configuration each time that it was asked
}

var asked = regexp.MustCompile(`word (\w+) alone:\necho (\w+) \$\(cat /etc/hostname\) > (\S+)$`)

func (p *parlour) HasJoined(_ context.Context, room, _ string) bool { return room == "!two:test" }
func (p *parlour) Exchange(ctx context.Context, room, user, text string, heard func(string) bool) error {
	if room != "!two:test" || user != "@agent:test" || p.err != nil {
		return p.err
	}
	p.heard = append(p.heard, p.c.raw())
	words := asked.FindStringSubmatch(text)
	if p.breaks && len(p.heard) == 1 {
		heard("Something went wrong with " + words[1])
		return nil
	}
	if p.writes {
		p.file = words[3]
	}
	if p.says != "" {
		heard(p.says)
	}
	if p.answers && words[1] == words[2] && heard("The word is "+words[1]) {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}
func (p *parlour) Written(_ context.Context, agent, name string) (string, string, error) {
	switch {
	case agent != "max" || name != p.file:
		return "", "", fs.ErrNotExist
	case p.forbidden:
		return "", "", fs.ErrPermission
	}
	word := strings.TrimSuffix(strings.TrimPrefix(name, "fraktalia-check-"), ".txt")
	return word + " " + p.hostname + "\n", "/home/max/" + name, nil
}

func (p *parlour) PlanWorkspace(context.Context, Newcomer) (NewWorkspace, error) {
	return NewWorkspace{}, nil
}

func (p *parlour) EraseRecords(string) (bool, error) { return false, nil }

func (p *parlour) Remains([]string) ([]Remains, error)  { return nil, nil }
func (p *parlour) EraseRemains(Remains, []string) error { return nil }

// proving makes an agent that is bound to a room in which the bot is not heard.
func proving(t *testing.T) (*bench, *claw, *parlour) {
	t.Helper()
	b, c := newClaw(t)
	c.write(t, strings.Replace(strings.Replace(clawText, "max: {", "max: { sandbox: { mode: 'all' },", 1),
		"matrix: {", "matrix: { userId: '@agent:test', groupAllowFrom: ['@mila:test'],", 1))
	p := &parlour{b: b, c: c, answers: true, writes: true, hostname: "0123456789ab"}
	b.commands.services.Speaking, b.commands.services.Workspaces = p, p
	b.commands.services.Settings.AnswerWithin = time.Second
	b.commands.services.Settings.Bot = "@bot:test"
	b.commands.services.Containers = pen{list: []sandbox.Container{{ID: "0123456789abcdef", Name: "sbx", Agent: "max"}, {ID: "fedcba9876543210", Name: "other", Agent: "mox"}}}
	return b, c, p
}

// pen is a list of containers of which nothing else is asked.
type pen struct {
	rest
	list []sandbox.Container
}

type rest struct{ Containers } // so that the method of that name can be the pen's

func (p pen) Containers(context.Context) ([]sandbox.Container, error) { return p.list, nil }

// run is a run of the owner's, for what is no command.
func (b *bench) run(t *testing.T) *run {
	t.Helper()
	return &run{Services: b.commands.services, shared: &b.commands.shared, request: Request{Sender: "@o:test", Role: Owner}, talk: b.desk, leave: func() {}}
}

// raw is the file, where no test is at hand to fail.
func (c *claw) raw() string {
	text, err := os.ReadFile(c.path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// What did not work is told part by part, and what was seen of the rest.
func TestProofTellsWhichPartFailed(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*parlour)
		want string
	}{
		"whole":       {func(*parlour) {}, ""},
		"silence":     {func(p *parlour) { p.answers, p.writes = false, false }, "max did not answer within "},
		"no file":     {func(p *parlour) { p.writes = false }, "max answered, but the file that it was to write in its sandbox is not there"},
		"no answer":   {func(p *parlour) { p.answers = false }, "max wrote the file in its sandbox, but did not answer"},
		"other words": {func(p *parlour) { p.answers, p.writes, p.says = false, false, "Hello, I am Max" }, `not with the word that I asked for, and wrote no file: "Hello, I am Max"`},
		"unreadable":  {func(p *parlour) { p.forbidden = true }, "cannot be read on this machine"},
		"on the host": {func(p *parlour) { p.hostname = "attic" }, "in no sandbox: its commands run on this machine itself"},
		"another's":   {func(p *parlour) { p.hostname = "fedcba987654" }, "in no sandbox"},
		"broken off once": {func(p *parlour) { // half of the time goes by before it is asked again
			p.breaks, p.b.commands.services.Settings.AnswerWithin = true, 8*time.Second
		}, ""},
		"an introduction": {func(p *parlour) { p.says = "Hello, I am Max" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, _, p := proving(t)
			c.do(p)
			proof, err := b.run(t).proveBound(t.Context(), "max")
			if err != nil || c.want == "" != proof.Whole() || !strings.Contains(proof.Fault(), c.want) || c.want == "" && proof.Fault() != "" {
				t.Errorf("%v %+v\n%s", err, proof, proof.Fault())
			}
		})
	}
}

// OpenClaw listens to the bot in that room as long as the question lasts, and
// the file is then as it was; also where asking fails.
func TestProofIsHeardNoLongerThanNeeded(t *testing.T) {
	for _, away := range []error{nil, &PlainRoom{ID: "!two:test"}} {
		b, c, p := proving(t)
		before := c.text(t)
		p.err = away
		proof, err := b.run(t).proveBound(t.Context(), "max")
		if (away == nil) != (err == nil) || (away == nil) != proof.Whole() {
			t.Errorf("%v %+v", err, proof)
		}
		if c.text(t) != before {
			t.Errorf("afterwards the file is\n%s", c.text(t))
		}
		if away == nil && (len(p.heard) != 1 || !strings.Contains(p.heard[0], "'!two:test': { enabled: true, users: ['@mila:test', '@bot:test'] }")) {
			t.Errorf("asked with\n%s", p.heard)
		}
		if open, err := b.records.AgentWorks(t.Context(), "begun"); err != nil || len(open) > 0 {
			t.Errorf("%v %v", err, open)
		}
	}
}
