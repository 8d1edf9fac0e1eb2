package openclaw

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

const entriesHouse = `{
  meta: {},
  agents: {
    ownership: 'explicit',
    entries: {
      // the first one
      mox: { name: 'Mox', workspace: '/w/mox', sandbox: { mode: 'all' } },
      max: { skills: ['web'] }, // second
    },
  },
  bindings: [
    { agentId: 'mox', match: { channel: 'matrix', peer: { kind: 'channel', id: '!one:host.org' } } }, // kitchen
    { agentId: 'max', match: { channel: 'matrix', peer: { kind: 'channel', id: '!two:host.org' } } },
  ],
  channels: {
    matrix: {
      autoJoin: 'allowlist',
      autoJoinAllowlist: ['!one:host.org', '!two:host.org'],
      groups: {
        '!one:host.org': { enabled: true },
        '!two:host.org': { enabled: true },
      },
    },
  },
}
`

func listHouse() string {
	text := strings.Replace(entriesHouse, "entries: {", "list: [", 1)
	text = strings.Replace(text, "mox: { name", "{ id: 'mox', name", 1)
	text = strings.Replace(text, "max: { skills", "{ id: 'max', skills", 1)
	return strings.Replace(text, "// second\n    },", "// second\n    ],", 1)
}

func writeFile(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loadText(t *testing.T, text string) *Config {
	t.Helper()
	c, err := LoadConfig(writeFile(t, filepath.Join(t.TempDir(), "openclaw.json"), text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parsePath(t *testing.T, text string) json5.Path {
	t.Helper()
	p, err := json5.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestEdits tells what each edit takes out of the file and puts into it, in both shapes of the roster.
func TestEdits(t *testing.T) {
	for _, c := range []struct {
		name          string
		edit          EditFunc
		entries, list []string // the changed lines
	}{
		{"set", SetInAgent("mox", parsePath(t, "sandbox.docker.memory"), json5.StringValue("8g")),
			[]string{"-      mox: { name: 'Mox', workspace: '/w/mox', sandbox: { mode: 'all' } },", "+      mox: { name: 'Mox', workspace: '/w/mox', sandbox: { mode: 'all', docker: { memory: '8g' } } },"},
			[]string{"-      { id: 'mox', name: 'Mox', workspace: '/w/mox', sandbox: { mode: 'all' } },", "+      { id: 'mox', name: 'Mox', workspace: '/w/mox', sandbox: { mode: 'all', docker: { memory: '8g' } } },"}},
		{"unset", UnsetInAgent("max", parsePath(t, "skills")),
			[]string{"-      max: { skills: ['web'] }, // second", "+      max: {}, // second"},
			[]string{"-      { id: 'max', skills: ['web'] }, // second", "+      { id: 'max' }, // second"}},
		{"add", AddInAgent("max", parsePath(t, "skills"), json5.StringValue("git")),
			[]string{"-      max: { skills: ['web'] }, // second", "+      max: { skills: ['web', 'git'] }, // second"},
			[]string{"-      { id: 'max', skills: ['web'] }, // second", "+      { id: 'max', skills: ['web', 'git'] }, // second"}},
		{"add what is there", AddInAgent("max", parsePath(t, "skills"), json5.StringValue("web")), nil, nil},
		{"add agent", AddAgent(NewAgent{ID: "mix", Name: "Mix", CopyOf: "mox"}),
			[]string{"+      mix: { name: 'Mix', sandbox: { mode: 'all' } },"},
			[]string{"+      { id: 'mix', name: 'Mix', sandbox: { mode: 'all' } },"}},
		{"remove agent", RemoveAgent("mox"),
			[]string{"-      // the first one", "-      mox: { name: 'Mox', workspace: '/w/mox', sandbox: { mode: 'all' } },",
				"-    { agentId: 'mox', match: { channel: 'matrix', peer: { kind: 'channel', id: '!one:host.org' } } }, // kitchen",
				"-      autoJoinAllowlist: ['!one:host.org', '!two:host.org'],", "+      autoJoinAllowlist: ['!two:host.org'],", "-        '!one:host.org': { enabled: true },"},
			[]string{"-      // the first one", "-      { id: 'mox', name: 'Mox', workspace: '/w/mox', sandbox: { mode: 'all' } },",
				"-    { agentId: 'mox', match: { channel: 'matrix', peer: { kind: 'channel', id: '!one:host.org' } } }, // kitchen",
				"-      autoJoinAllowlist: ['!one:host.org', '!two:host.org'],", "+      autoJoinAllowlist: ['!two:host.org'],", "-        '!one:host.org': { enabled: true },"}},
		{"bind", Bind(BindRoom{AgentID: "max", Room: "!new:host.org"}),
			[]string{"+    { agentId: 'max', match: { channel: 'matrix', peer: { kind: 'channel', id: '!new:host.org' } } },",
				"-      autoJoinAllowlist: ['!one:host.org', '!two:host.org'],", "+      autoJoinAllowlist: ['!one:host.org', '!two:host.org', '!new:host.org'],", "+        '!new:host.org': { enabled: true },"}, nil},
		{"bind another agent's room", Bind(BindRoom{AgentID: "max", Room: "!one:host.org"}),
			[]string{"-    { agentId: 'mox', match: { channel: 'matrix', peer: { kind: 'channel', id: '!one:host.org' } } }, // kitchen",
				"+    { agentId: 'max', match: { channel: 'matrix', peer: { kind: 'channel', id: '!one:host.org' } } }, // kitchen"}, nil},
		{"bind again", Bind(BindRoom{AgentID: "mox", Room: "!one:host.org"}), nil, nil},
		{"unbind", Unbind("!two:host.org"),
			[]string{"-    { agentId: 'max', match: { channel: 'matrix', peer: { kind: 'channel', id: '!two:host.org' } } },",
				"-      autoJoinAllowlist: ['!one:host.org', '!two:host.org'],", "+      autoJoinAllowlist: ['!one:host.org'],", "-        '!two:host.org': { enabled: true },"}, nil},
	} {
		for shape, text := range map[Shape]string{EntriesRoster: entriesHouse, ListRoster: listHouse()} {
			want := c.entries
			if shape == ListRoster && c.list != nil {
				want = c.list
			}
			t.Run(c.name+" in "+string(shape), func(t *testing.T) {
				plan, err := loadText(t, text).Plan(c.edit)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, line := range plan.changedLines() {
					got = append(got, string(line.mark)+strings.TrimRight(line.text, "\n"))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestFirstAgent(t *testing.T) {
	plan, err := loadText(t, "{}").Plan(AddAgent(NewAgent{ID: "mox"}))
	if err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"agents\": {\n    \"ownership\": \"explicit\",\n    \"entries\": {\n      \"mox\": {}\n    }\n  }\n}"
	if got := string(plan.After().Document().Bytes()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestOwnership checks that an edit of the roster never leaves one that OpenClaw refuses.
func TestOwnership(t *testing.T) {
	for _, c := range []struct {
		name, text string
		edit       EditFunc
		want       bool // ownership is explicit afterwards
	}{
		{"the second agent", "{agents: {list: [{id: 'mox'}]}}", AddAgent(NewAgent{ID: "max"}), true},
		{"the second agent beside a marked one", "{agents: {entries: {mox: {default: true}}}}", AddAgent(NewAgent{ID: "max"}), false},
		{"the marked one of three goes", "{agents: {entries: {mox: {default: true}, max: {}, mix: {}}}}", RemoveAgent("mox"), true},
		{"one of two goes", "{agents: {entries: {mox: {default: true}, max: {}}}}", RemoveAgent("mox"), false},
	} {
		plan, err := loadText(t, c.text).Plan(c.edit)
		must(t, err)
		if plan.After().owned() != c.want || len(plan.After().crossReferences()) > 0 {
			t.Errorf("%s: %s %v", c.name, plan.After().Document().Bytes(), plan.After().crossReferences())
		}
	}
}

func TestRefusedEdits(t *testing.T) {
	twice := strings.Replace(listHouse(), "id: 'max'", "id: 'mox'", 1)
	both := strings.Replace(entriesHouse, "agents: {", "agents: { list: [],", 1)
	for _, c := range []struct {
		name, text string
		edit       EditFunc
		want       any
	}{
		{"unknown agent", entriesHouse, SetInAgent("moxx", parsePath(t, "name"), json5.StringValue("x")), new(*UnknownAgentError)},
		{"unknown agent to bind", entriesHouse, Bind(BindRoom{AgentID: "m", Room: "!x:y"}), new(*UnknownAgentError)},
		{"id taken", entriesHouse, AddAgent(NewAgent{ID: "mox"}), new(*AgentExistsError)},
		{"id refused by OpenClaw", entriesHouse, AddAgent(NewAgent{ID: "Mox"}), new(*AgentIDError)},
		{"same id twice", twice, UnsetInAgent("mox", parsePath(t, "name")), new(*DuplicateAgentError)},
		{"both shapes", both, UnsetInAgent("mox", parsePath(t, "name")), new(*BothShapesError)},
		{"room not bound", entriesHouse, Unbind("!ONE:host.org"), new(*UnboundRoomError)},
		{"value not in the list", entriesHouse, RemoveInAgent("max", parsePath(t, "skills"), json5.StringValue("x")), new(*NotInListError)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := loadText(t, c.text).Plan(c.edit); !errors.As(err, c.want) {
				t.Errorf("error %v, want %T", err, c.want)
			}
		})
	}
}

// included writes a house whose agents and bindings are in other files.
func included(t *testing.T) (dir string, c *Config) {
	t.Helper()
	dir = t.TempDir()
	main := writeFile(t, filepath.Join(dir, "openclaw.json"), "{\n  meta: {},\n  agents: { $include: './agents.json5' }, // elsewhere\n  bindings: [],\n  $include: ['rooms/a.json5', 'rooms/b.json5'],\n}\n")
	writeFile(t, filepath.Join(dir, "agents.json5"), "{\n  entries: {\n    mox: { name: 'Mox' }, // first\n  },\n}\n")
	writeFile(t, filepath.Join(dir, "rooms", "a.json5"), "{ bindings: [{ agentId: 'mox', match: { channel: 'matrix', peer: { kind: 'group', id: '!a:h' } } }] }\n")
	writeFile(t, filepath.Join(dir, "rooms", "b.json5"), "{ bindings: [{ agentId: 'mox', match: { channel: 'matrix', peer: { kind: 'group', id: '!b:h' } } }], channels: { matrix: { groups: { '!b:h': {} } } } }\n")
	c, err := LoadConfig(main)
	if err != nil {
		t.Fatal(err)
	}
	return dir, c
}

func TestIncludes(t *testing.T) {
	dir, c := included(t)
	if rooms := c.Rooms("mox"); !cmp.Equal(rooms, []string{"!a:h", "!b:h"}) {
		t.Errorf("rooms %v", rooms)
	}
	for name, e := range map[string]struct {
		edit EditFunc
		file string
	}{
		"the entry's file":   {SetInAgent("mox", parsePath(t, "model"), json5.StringValue("x/y")), "agents.json5"},
		"the roster's file":  {AddAgent(NewAgent{ID: "max"}), "agents.json5"},
		"the binding's file": {Unbind("!a:h"), "rooms/a.json5"},
		"the groups' file":   {Unbind("!b:h"), "rooms/b.json5"},
		"the main file": {func(*Config) ([]json5.Operation, error) {
			return []json5.Operation{{Verb: json5.Set, Path: parsePath(t, "gateway.mode"), Value: json5.StringValue("local")}}, nil
		}, "openclaw.json"},
	} {
		plan, err := c.Plan(e.edit)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if changes := plan.Changes(); len(changes) != 1 || changes[0].Path != filepath.Join(dir, e.file) {
			t.Errorf("%s: changes %+v", name, plan.Diff())
		}
	}
	plan, err := c.Plan(RemoveAgent("mox"))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := plan.Commit(context.Background()); err != nil || len(done) != 3 {
		t.Fatalf("%d files written: %v", len(done), err)
	}
	now, err := LoadConfig(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	if agents, err := now.Agents(); err != nil || len(agents)+len(now.Bindings()) != 0 {
		t.Errorf("left over: %v %v %v", agents, now.Bindings(), err)
	}
}

func TestRefusedIncludes(t *testing.T) {
	for name, prepare := range map[string]func(dir string) string{
		"does not exist":    func(string) string { return "nowhere.json5" },
		"is outside":        func(string) string { return "/etc/hostname" },
		"through more than": func(dir string) string { return filepath.Join(dir, "openclaw.json") },
		"has hard links": func(dir string) string {
			must(t, os.WriteFile(dir+"/l", []byte("{}"), 0o600))
			must(t, os.Link(dir+"/l", dir+"/m"))
			return "l"
		},
		"line 1, column 2: foun": func(dir string) string { must(t, os.WriteFile(dir+"/x", []byte("{?}"), 0o600)); return "x" },
	} {
		dir := t.TempDir()
		path := writeFile(t, filepath.Join(dir, "openclaw.json"), "{$include: '"+prepare(dir)+"'}")
		if _, err := LoadConfig(path); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSomebodyElseWrites changes the file between the plan and its commit.
func TestSomebodyElseWrites(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		fits           bool
	}{
		{"another part", "// second", "// zweiter", true},
		{"the same value", "mode: 'all'", "mode: 'off'", false},
		{"the agent goes", "mox: {", "mux: {", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := loadText(t, entriesHouse)
			plan, err := config.Plan(SetInAgent("mox", parsePath(t, "sandbox.mode"), json5.StringValue("non-main")))
			must(t, err)
			theirs := strings.Replace(entriesHouse, c.from, c.to, 1)
			must(t, os.WriteFile(config.Path(), []byte(theirs), 0o600))
			_, err = plan.Commit(context.Background())
			want := theirs
			if c.fits {
				want = strings.Replace(theirs, "mode: 'all'", "mode: 'non-main'", 1)
			}
			var conflict *ConflictError
			if c.fits != (err == nil) || !c.fits && (!errors.As(err, &conflict) || !strings.Contains(conflict.Diff, c.to)) {
				t.Errorf("error %v", err)
			}
			if data, _ := os.ReadFile(config.Path()); string(data) != want {
				t.Errorf("the file is\n%s", data)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	before := "{\n  a: 1,\n  token: 'pqr',\n  b: 2,\n  c: 3,\n  d: 4,\n  e: 5,\n  f: 6,\n  g: 7,\n  h: 8,\n}"
	after := strings.Replace(strings.Replace(before, "a: 1", "a: 2", 1), "h: 8", "h: 9", 1)
	got := Diff("/x/c.json", []byte(before), []byte(after))
	mark := got[strings.Index(got, "\"<hidden"):]
	mark = mark[:strings.Index(mark, ",")]
	want := "--- c.json\n+++ c.json\n@@ -1,5 +1,5 @@\n {\n-  a: 1,\n+  a: 2,\n   token: " + mark + ",\n   b: 2,\n   c: 3,\n@@ -7,5 +7,5 @@\n   e: 5,\n   f: 6,\n   g: 7,\n-  h: 8,\n+  h: 9,\n }\n\\ No newline at end of file\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	changed := Diff("c.json", []byte(before), []byte(strings.Replace(before, "pqr", "xyz", 1)))
	if strings.Contains(changed, "pqr") || strings.Contains(changed, "xyz") || strings.Count(changed, "<hidden") != 2 {
		t.Errorf("a changed secret is shown as\n%s", changed)
	}
}
