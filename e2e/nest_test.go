package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
)

// nest is a deployment in which agents can be added and removed without
// OpenClaw, so that the bot can be killed and started alone. It has an engine of
// its own: others' sandboxes would be left of agents that it does not know.
type nest struct {
	*solo
	engine *harness.Engine
	agent  *standIn
	path   string // of openclaw.json
	before string // what stands in it without further agents
}

// nestHouse is nestClaw with so much in it that an agent is less than half: a
// file that shrinks by more OpenClaw would not take.
var nestHouse = strings.Replace(nestClaw, "groups: {} } },", `autoJoin: 'allowlist', autoJoinAllowlist: [], groups: {} } },
  bindings: [
    { agentId: 'mox', match: { channel: 'matrix', accountId: 'other', peer: { kind: 'channel', id: '!gone:fraktalia.test' } } },
  ],
  // `+strings.Repeat("all that is in a house of that age, ", 30)+"and more", 1)

// newNest brings one up; the bot does not run yet.
func newNest(t *testing.T, name string) *nest {
	t.Helper()
	dir := filepath.Join(shared.dir, name)
	must(t, os.MkdirAll(dir, 0o700))
	engine, err := harness.OpenEngine(within(t), dir, shared.run+name)
	must(t, err)
	t.Cleanup(func() {
		must(t, engine.RemoveSandboxes(within(t)))
		must(t, engine.Down())
	})
	must(t, engine.BuildPage(patient(t), dir))
	n := &nest{solo: newSolo(t, name, engine.Env()), engine: engine}
	n.before = nestHouse
	n.path = clawFile(t, n.DataDir, n.before)
	// A gateway without its plugin is ready, and cannot be asked for anything.
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ready" {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(gateway.Close)
	must(t, n.SetConfig("http://127.0.0.1:18789", gateway.URL))
	must(t, n.SetConfig(shared.image(), "fraktalia-e2e-page:"+strings.ToLower(shared.run+name)))
	n.start(t)
	n.agent = &standIn{Client: befriend(t, n.admin, n, "nester"), nest: n, done: map[id.EventID]bool{}}
	must(t, n.agent.Raw().SetDisplayName(within(t), "Claw"))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	t.Cleanup(func() { stop(); <-ended })
	go func() { defer close(ended); n.agent.live(ctx) }()
	return n
}

// home is OpenClaw's folder.
func (n *nest) home() string { return filepath.Dir(n.path) }

// add adds the agent nest, which leaves a record of what was said, as OpenClaw
// does, and returns its room's id.
func (n *nest) add(t *testing.T) (room string) {
	t.Helper()
	if out := sayPatiently(t, n.admin, `!addagent nest --room "Nest"`); !out.OK {
		t.Fatal(out.Body)
	}
	sessions := filepath.Join(n.home(), "agents", "nest", "sessions")
	must(t, os.MkdirAll(sessions, 0o700))
	must(t, os.WriteFile(filepath.Join(sessions, "one.jsonl"), []byte("{}\n"), 0o600))
	return listedOn(t, n.Deployment, "Nest").ID
}

// change changes openclaw.json as another program does.
func (n *nest) change(t *testing.T, edit func(*openclaw.Config) []json5.Operation) {
	t.Helper()
	config, err := openclaw.LoadConfig(n.path)
	must(t, err)
	plan, err := config.Plan(openclaw.Operations(edit(config)...))
	must(t, err)
	_, err = plan.Commit(within(t))
	must(t, err)
}

// binding is where the agent's binding stands.
func binding(c *openclaw.Config, agent string) json5.Path {
	for _, b := range c.Bindings() {
		if b.AgentID == agent {
			return json5.Path{json5.Key("bindings"), json5.Index(b.Index)}
		}
	}
	return nil
}

func entry(agent string) json5.Path {
	return json5.Path{json5.Key("agents"), json5.Key("entries"), json5.Key(agent)}
}

// standIn plays OpenClaw for one account: it comes into the rooms that it is
// invited to, and what it is asked to run in its sandbox it writes where that
// would have written it.
type standIn struct {
	*client.Client
	nest *nest
	// late is how many invitations to a room it overhears.
	late atomic.Int32
	box  atomic.Pointer[harness.Sandbox]
	done map[id.EventID]bool
}

func (s *standIn) live(ctx context.Context) {
	rooms := map[id.RoomID]*client.Room{}
	for ctx.Err() == nil {
		for room, invite := range s.Invites() {
			if invite.Times <= int(s.late.Load()) {
				continue
			}
			if entered, err := s.Enter(ctx, room, s.nest.BotUserID); err == nil { // a room may be gone already
				rooms[room] = entered
			}
		}
		for _, room := range rooms {
			s.answer(ctx, room)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

var wish = regexp.MustCompile(`answer with the word (\S+) alone:\s*\necho \S+ \$\(cat /etc/hostname\) > (\S+)`)

// answer does what the bot has asked for in a room.
func (s *standIn) answer(ctx context.Context, room *client.Room) {
	for _, e := range room.FromBot() {
		if e.Type != event.EventMessage.Type || s.done[e.ID] {
			continue
		}
		s.done[e.ID] = true
		order := wish.FindStringSubmatch(e.Content.AsMessage().Body)
		if order == nil {
			continue
		}
		box, err := s.nest.engine.StartSandbox(ctx, "nest", "chirp", "9005")
		if err != nil {
			continue // the test says that no answer came
		}
		s.box.Store(box)
		text := order[1] + " " + box.ID[:12] + "\n"
		if err := os.WriteFile(filepath.Join(s.nest.home(), "workspace-nest", order[2]), []byte(text), 0o644); err == nil {
			_, _ = room.Say(ctx, order[1])
		}
	}
}
