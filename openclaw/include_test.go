package openclaw

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// The lists are in files of their own: OpenClaw puts an included file in the place of an object that holds nothing but
// its $include.
const (
	listsMain = "{\n  // the house\n  agents: { ownership: 'explicit', list: { $include: './a.json5' } },\n  bindings: { $include: ['./b.json5', './c.json5'] }, // who answers where\n" +
		"  channels: { matrix: { autoJoin: 'allowlist', autoJoinAllowlist: { $include: './joins.json5' }, groups: { $include: './groups.json5' } } },\n}\n"
	listsAgents = "[\n  { id: 'mox', name: 'Mox' }, // first\n  { id: 'max', sandbox: { $include: './sandbox.json5' } },\n]\n"
	listsB      = "[\n  // the kitchen\n  { agentId: 'mox', match: { channel: 'matrix', peer: { kind: 'channel', id: '!one:h' } } },\n]\n"
	listsC      = "[{ agentId: 'max', match: { channel: 'matrix', peer: { kind: 'channel', id: '!two:h' } } }]\n"
	listsJoins  = "['!one:h', '!two:h'] // rooms\n"
	listsGroups = "{ '!one:h': {}, '!two:h': {} }\n"
	listsBox    = "{ mode: 'all' }\n"
)

func listsHouse(t *testing.T) (c *Config, text func() map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range listsFiles() {
		writeFile(t, filepath.Join(dir, name), content)
	}
	c, err := LoadConfig(filepath.Join(dir, "openclaw.json"))
	must(t, err)
	return c, func() map[string]string {
		now := map[string]string{}
		for name := range listsFiles() {
			data, err := os.ReadFile(filepath.Join(dir, name))
			must(t, err)
			now[name] = string(data)
		}
		return now
	}
}

func listsFiles() map[string]string {
	return map[string]string{"openclaw.json": listsMain, "a.json5": listsAgents, "b.json5": listsB, "c.json5": listsC,
		"joins.json5": listsJoins, "groups.json5": listsGroups, "sandbox.json5": listsBox}
}

func TestIncludedListsAreRead(t *testing.T) {
	c, _ := listsHouse(t)
	agents, err := c.Agents()
	must(t, err)
	if len(agents) != 2 || agents[0].ID != "mox" || agents[1].Text("sandbox", "mode") != "all" {
		t.Errorf("agents %+v", agents)
	}
	if bindings := c.Bindings(); len(bindings) != 2 || bindings[0].AgentID != "mox" || bindings[1].AgentID != "max" {
		t.Errorf("bindings %+v", bindings)
	}
	node, err := c.Get(parsePath(t, "channels.matrix.autoJoinAllowlist"))
	must(t, err)
	if got := string(node.Raw()); got != "['!one:h', '!two:h']" {
		t.Errorf("the list of rooms is read as %s", got)
	}
}

// TestEditsOfIncludedLists tells which files an edit changes, and that nothing else in them moves.
func TestEditsOfIncludedLists(t *testing.T) {
	const newBinding = "{ agentId: 'max', match: { channel: 'matrix', peer: { kind: 'channel', id: '!new:h' } } }"
	for name, e := range map[string]struct {
		edit EditFunc
		want map[string]string
	}{
		"a room is bound": {Bind(BindRoom{AgentID: "max", Room: "!new:h"}), map[string]string{
			"c.json5":      listsC[:len(listsC)-2] + ", " + newBinding + "]\n",
			"joins.json5":  "['!one:h', '!two:h', '!new:h'] // rooms\n",
			"groups.json5": "{ '!one:h': {}, '!two:h': {}, \"!new:h\": { \"enabled\": true } }\n",
		}},
		"an agent comes": {AddAgent(NewAgent{ID: "mix"}), map[string]string{
			"a.json5": listsAgents[:len(listsAgents)-2] + "  { id: 'mix' },\n]\n",
		}},
		"an agent goes": {RemoveAgent("mox"), map[string]string{
			"a.json5": "[\n  { id: 'max', sandbox: { $include: './sandbox.json5' } },\n]\n",
			"b.json5": "[]\n", "joins.json5": "['!two:h'] // rooms\n", "groups.json5": "{ '!two:h': {} }\n",
		}},
		"the other goes": {RemoveAgent("max"), map[string]string{
			"a.json5": "[\n  { id: 'mox', name: 'Mox' }, // first\n]\n",
			"c.json5": "[]\n", "joins.json5": "['!one:h'] // rooms\n", "groups.json5": "{ '!one:h': {} }\n",
		}},
		"a value within": {SetInAgent("max", parsePath(t, "sandbox.mode"), json5.StringValue("off")), map[string]string{
			"sandbox.json5": "{ mode: 'off' }\n",
		}},
		"the value itself, which others may include": {UnsetInAgent("max", parsePath(t, "sandbox")), map[string]string{
			"a.json5": "[\n  { id: 'mox', name: 'Mox' }, // first\n  { id: 'max' },\n]\n",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c, text := listsHouse(t)
			plan, err := c.Plan(e.edit)
			must(t, err)
			_, err = plan.Commit(context.Background())
			must(t, err)
			want := listsFiles()
			maps.Copy(want, e.want)
			if diff := cmp.Diff(want, text()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestOnlyAnInclude has a main file that holds nothing but an $include; the document is that file all the same.
func TestOnlyAnInclude(t *testing.T) {
	dir := t.TempDir()
	main := writeFile(t, filepath.Join(dir, "openclaw.json"), "{ $include: './all.json5' }\n")
	writeFile(t, filepath.Join(dir, "all.json5"), "{ agents: { entries: { mox: {} } } }\n")
	c, err := LoadConfig(main)
	must(t, err)
	node, err := c.Get(nil)
	must(t, err)
	if got := string(node.Raw()); got != "{ $include: './all.json5' }" {
		t.Errorf("the document is %s", got)
	}
	plan, err := c.Plan(AddAgent(NewAgent{ID: "max"}))
	must(t, err)
	changes := plan.Changes()
	if want := "{ agents: { entries: { mox: {}, max: {} }, ownership: \"explicit\" } }\n"; len(changes) != 1 || string(changes[0].After) != want {
		t.Errorf("changes %+v", changes)
	}
}
