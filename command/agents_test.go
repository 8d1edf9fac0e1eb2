package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/openclaw/safefile"
	"github.com/githabideri/fraktalia/store"
)

// claw is OpenClaw's configuration on a real file, without a gateway.
type claw struct {
	path    string
	rooms   map[string]string // ids by alias or name
	removed []string          // agents whose sandboxes were removed
	outcome openclaw.Outcome  // what the gateway says
}

const clawText = `{
  // made by hand
  meta: { lastTouchedVersion: '2026.9.6' },
  agents: {
    ownership: 'explicit',
    entries: {
      mox: { name: 'Mox', model: 'local/big', sandbox: { mode: 'all', docker: { memory: '4g' } }, tools: { allow: ['exec'] } }, // the first
      max: { memorySearch: { remote: { apiKey: 'sk-very-secret' } } },
    },
  },
  bindings: [
    { agentId: 'max', match: { channel: 'matrix', peer: { kind: 'channel', id: '!two:test' } } },
  ],
  channels: { matrix: { groupPolicy: 'allowlist', groups: { '!two:test': { enabled: true } }, autoJoin: 'allowlist', autoJoinAllowlist: ['!two:test'] } },
}
`

func (c *claw) Load() (*openclaw.Config, error) { return openclaw.LoadConfig(c.path) }
func (c *claw) Value(_ json5.Path, typed string) (json5.Value, error) {
	return json5.ParseValue(typed), nil
}
func (c *claw) Check(ctx context.Context, plan *openclaw.Plan) (openclaw.Report, error) {
	none := func() (string, error) { return "", errors.New("no openclaw") }
	return openclaw.NewChecker(filepath.Dir(c.path), none, nil).CheckChange(ctx, plan.Before(), plan.After())
}
func (c *claw) Commit(ctx context.Context, plan *openclaw.Plan, written Written) (openclaw.Outcome, error) {
	changes, err := plan.Commit(ctx)
	if err == nil {
		written(changes, true)
	}
	return c.outcome, err
}
func (c *claw) Restore(ctx context.Context, files []store.ConfigFile, written Written) (openclaw.Outcome, error) {
	before, err := os.ReadFile(files[0].Backup)
	if err != nil {
		return c.outcome, &BackupGone{files[0].Backup}
	}
	now, err := os.ReadFile(c.path)
	if err != nil || contentHash(now) != files[0].After {
		return c.outcome, errors.Join(err, &openclaw.ConflictError{Path: c.path, Diff: "-x\n+y\n"})
	}
	made, err := openclaw.Restore(ctx, c.path, now, before)
	if err == nil {
		written([]openclaw.Change{made}, true)
	}
	return c.outcome, err
}
func (c *claw) Sandboxes(context.Context) ([]AgentSandbox, error) {
	return []AgentSandbox{{Agent: "mox", Name: "sbx-1", Running: true, Stale: true}}, nil
}
func (c *claw) RemoveSandboxes(_ context.Context, agent string) (int, error) {
	c.removed = append(c.removed, agent)
	return 1, nil
}
func (c *claw) FindRoom(_ context.Context, text string) (string, error) {
	if id, ok := c.rooms[text]; ok {
		return id, nil
	}
	return "", &UnknownRoom{Text: text, Known: []string{"Family"}}
}
func (c *claw) RoomName(_ context.Context, id string) string {
	return map[string]string{"!two:test": "Two"}[id]
}
func (c *claw) Tombstoned(_ context.Context, id string) (bool, error) { return id == "buried", nil }
func (c *claw) AsideOf(a openclaw.Agent, _ []openclaw.Agent) (string, string, error) {
	return "", "", &WorkspaceKept{Reason: "there is none for " + a.ID}
}

func newClaw(t *testing.T) (*bench, *claw) {
	t.Helper()
	b := newBench(t)
	c := &claw{path: filepath.Join(t.TempDir(), "openclaw.json"), rooms: map[string]string{"#one:test": "!one:test", "Family room": "!one:test"},
		outcome: openclaw.Outcome{Verdict: openclaw.Applied}}
	c.write(t, clawText)
	s := &b.commands.services
	s.Agents, s.Speaking, s.Workspaces = c, &parlour{c: c}, &parlour{c: c}
	return b, c
}

func (c *claw) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(c.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c *claw) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is typed arrives whole, and nothing else moves.
func TestAgentSetTakesTheRestOfTheLine(t *testing.T) {
	mox := func(old, new string) string { return strings.Replace(clawText, old, new, 1) }
	for line, want := range map[string]string{
		"agent mox set sandbox.docker.memory 8g":                              mox("'4g'", "'8g'"),
		`agent mox set sandbox.docker.memory "8 g"`:                           mox("'4g'", "'8 g'"),
		"agent mox set name Mox the First":                                    mox("'Mox'", "'Mox the First'"),
		"agent mox set name Ned's":                                            mox("'Mox'", `'Ned\'s'`),
		"agent mox set tools.allow [\"a b\",   'c']":                          mox("['exec']", "['a b', 'c']"),
		"agent mox set tools.allow [“a b”]":                                   mox("['exec']", "['a b']"),
		"agent mox set tools.allow '[\"a b\"]'":                               mox("['exec']", "['a b']"),
		"agent mox add tools.allow read":                                      mox("['exec']", "['exec', 'read']"),
		"agent mox remove tools.allow exec":                                   mox("['exec']", "[]"),
		"agent mox unset tools":                                               mox(", tools: { allow: ['exec'] }", ""),
		"agent mox set sandbox.docker {\"memory\": \"4g\", \"pidsLimit\": 5}": mox("{ memory: '4g' }", "{ memory: '4g', pidsLimit: 5 }"),
		"agent mox set model -1":                                              mox("'local/big'", "-1"),
		"agent mox set model --json":                                          mox("'local/big'", "'--json'"),
	} {
		b, c := newClaw(t)
		text, err := b.do(t, line)
		if err != nil || !strings.HasPrefix(text, "Written, valid as far as I can tell") || !strings.Contains(text, "applied by the gateway after") {
			t.Errorf("%s\n%s %v", line, text, err)
		}
		if got := c.text(t); got != want {
			t.Errorf("%s made\n%s", line, got)
		}
	}
}

// Every change is in the history, and is taken back to the byte, one after another.
func TestUndoOfEveryChange(t *testing.T) {
	b, c := newClaw(t)
	lines := []string{"agent mox set sandbox.docker.memory 8g", "addagent mix --copy mox --name Mix", "bind mix Family room", "bind mox #one:test",
		"unbind !two:test --yes", "removeagent mix --yes", "agent max unset memorySearch"}
	states := []string{c.text(t)}
	for i, line := range lines {
		out := b.journaled(t, line)
		if states = append(states, c.text(t)); states[i] == states[i+1] {
			t.Fatalf("%s changed nothing: %s", line, out)
		}
	}
	history, err := b.do(t, "config history")
	if err != nil || strings.Count(history, "applied") != len(lines) || strings.Contains(history, "secret") {
		t.Errorf("%s %v", history, err)
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if out := b.journaled(t, "undo"); !strings.HasPrefix(out, "Taken back: !"+lines[i][:12]) || c.text(t) != states[i] {
			t.Errorf("undo of %s: %s\n%s", lines[i], out, c.text(t))
		}
	}
	if _, err := b.do(t, "undo"); err == nil || err.Error() != "There is nothing that I could take back." {
		t.Error(err)
	}
	if len(c.removed) != 1 || c.removed[0] != "mix" {
		t.Errorf("sandboxes removed: %v", c.removed)
	}
}

// journaled runs a line as the bot does, with its row in the journal.
func (b *bench) journaled(t *testing.T, line string) string {
	t.Helper()
	args, err := Split(line)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	answer, err := b.commands.Do(ctx, Request{Args: args, Line: line, Sender: "@o:test", Role: Owner}, b.desk)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	b.rows++
	id, _, err := b.records.AddCommand(ctx, store.Command{EventID: fmt.Sprint("$", b.rows), Line: "!" + line})
	if err == nil {
		err = b.records.EndCommand(ctx, id, store.Done, "", answer.Undo)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer.Doc.Text()
}

func TestAgentMistakes(t *testing.T) {
	b, c := newClaw(t)
	for line, want := range map[string]string{
		"agent":                              "Say an agent's name, for example mox.\nUsage: !" + agentUsage,
		"agent mxo":                          "There is no agent mxo. Did you mean mox?",
		"agent zebra":                        "There is no agent zebra. The agents are mox, max.",
		"agent mox make x 1":                 `"make" is nothing that can be done with an agent; say set, unset, add or remove.` + "\nUsage: !" + agentUsage,
		"agent mox set":                      "Say what to set, for example sandbox.docker.memory.\nUsage: ",
		"agent mox set name":                 "Say the value, too: the rest of the line behind name.\nUsage: ",
		"agent mox unset name now":           `"now" is one word too many.` + "\nUsage: ",
		"agent mox set a..b 1":               `I cannot read the path "a..b": `,
		"agent mox unset nam":                `There is no key "nam" in agents.entries.mox. Did you mean name?`,
		"agent mox add name x":               "Agents.entries.mox.name is a string, and this needs an array.",
		"agent mox remove tools.allow wrong": `tools.allow does not hold "wrong". It holds "exec".`,
		"addagent Mox":                       `OpenClaw takes no agent id "Mox": use up to 64 of a-z, 0-9, _ and -, and do not begin with -.`,
		"addagent mox":                       "There is an agent mox already; !agent mox shows it.",
		"addagent mix --copy mxo":            "There is no agent mxo. Did you mean mox?",
		"removeagent mxo":                    "There is no agent mxo. Did you mean mox?",
		"bind mox":                           "Say the agent and the room, for example mox #family:family.example.\nUsage: ",
		"bind mox #nowhere:test":             `I am in no room "#nowhere:test": give its id, alias or name, or invite me to it. I am in Family.`,
		"bind mxo #one:test":                 "There is no agent mxo.",
		"unbind #one:test":                   "No agent is bound to the room !one:test. Bound are !two:test.",
		"config":                             "Say history, or undo with a change's number.\nUsage: ",
		"config erase":                       "Say !config history, or !config undo with a number from it.",
		"config undo 7":                      "There is no change 7; !config history lists them.",
		"config undo all":                    `"all" is no number of a change; !config history lists them.`,
	} {
		_, err := b.do(t, line)
		var problem *Problem
		if !errors.As(err, &problem) || !strings.HasPrefix(problem.Sentence, want) {
			t.Errorf("%s\n gave %v\nwant %s", line, err, want)
		}
	}
	if c.text(t) != clawText {
		t.Errorf("a mistake changed the file:\n%s", c.text(t))
	}
}

// A file that cannot be edited gets a sentence, and stays as it is.
func TestFilesThatCannotBeEdited(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    string
	}{
		"malformed": {func(t *testing.T, path string) { replace(t, path, "{\n  agents: oh\n}\n") }, "cannot be read: line 2, column 11: "},
		"gone":      {func(t *testing.T, path string) { must(t, os.Remove(path)) }, "is not there: install OpenClaw, or name its file in openclaw.config."},
		"twice":     {func(t *testing.T, path string) { replace(t, path, "{agents:{entries:{mox:{name:'a',name:'b'}}}}") }, "name is there 2 times (lines 1, 1)"},
		"two agents": {func(t *testing.T, path string) { replace(t, path, "{agents:{list:[{id:'mox'},{id:'mox'}]}}") },
			"The agent mox is in openclaw.json twice"},
		"both shapes": {func(t *testing.T, path string) { replace(t, path, "{agents:{list:[],entries:{}}}") }, "has its agents in both shapes"},
		"read-only":   {func(t *testing.T, path string) { must(t, os.Chmod(path, 0o400)) }, "is read-only, so nothing was changed"},
		"read-only folder": {func(t *testing.T, path string) {
			must(t, os.Chmod(filepath.Dir(path), 0o500))
			t.Cleanup(func() { os.Chmod(filepath.Dir(path), 0o700) })
		}, "is read-only, so nothing was changed"},
		"hard links": {func(t *testing.T, path string) { must(t, os.Link(path, path+".other")) }, "has 2 hard links"},
		"a folder":   {func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Mkdir(path, 0o700)) }, "is no regular file"},
		"an include": {func(t *testing.T, path string) { replace(t, path, "{agents:{$include:'./nowhere.json'}}") }, "nowhere.json does not exist."},
	} {
		t.Run(name, func(t *testing.T) {
			b, house := newClaw(t)
			c.prepare(t, house.path)
			before, _ := os.ReadFile(house.path)
			_, err := b.do(t, "agent mox set name Moxie")
			var problem *Problem
			if !errors.As(err, &problem) || !strings.Contains(problem.Sentence, c.want) {
				t.Errorf("gave %v\nwant %s", err, c.want)
			}
			if after, _ := os.ReadFile(house.path); string(after) != string(before) {
				t.Errorf("the file was changed to\n%s", after)
			}
		})
	}
	full := (&run{}).configProblem(&safefile.SaveError{Path: "/x/openclaw.json", Step: "writing", Err: syscall.ENOSPC})
	if full.Error() != "The disk is full, so /x/openclaw.json was left as it was. Make room, and say it again." {
		t.Error(full)
	}
}

func replace(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAgentsAndTheirSecrets(t *testing.T) {
	b, c := newClaw(t)
	text, err := b.do(t, "agents")
	if err != nil || !strings.Contains(text, "⚠️ runs an older image") || !strings.Contains(text, "Two") || !strings.Contains(text, "local/big") {
		t.Errorf("%s %v", text, err)
	}
	for _, line := range []string{"agent max", "agent max --json", "agent mox"} {
		if text, err = b.do(t, line); err != nil || strings.Contains(text, "sk-very") || strings.Contains(text, "nope") {
			t.Errorf("%s: %s %v", line, text, err)
		}
	}
	if text, _ = b.do(t, "agent max"); !strings.Contains(text, `apiKey: "<hidden>"`) {
		t.Error(text)
	}
	if text, err = b.do(t, "agents --json"); err != nil || !strings.Contains(text, `"stale": true`) {
		t.Errorf("%s %v", text, err)
	}
	text = b.journaled(t, "agent max set memorySearch.remote.apiKey sk-other-secret")
	history, _ := b.do(t, "config history")
	if strings.Contains(text+history, "secret") || !strings.Contains(history, "apiKey …") {
		t.Errorf("%s\n%s", text, history)
	}
	text, err = b.do(t, "agent mox set sandbox.docker.env.HOUSE sk-other-secret")
	history, _ = b.do(t, "config history")
	if err != nil || strings.Contains(text+history, "secret") || !strings.Contains(text, "HOUSE") || !strings.Contains(history, "env.HOUSE …") {
		t.Errorf("%s\n%s %v", text, history, err)
	}
	c.write(t, strings.Replace(clawText, "memorySearch", "// token: 'sk-very-old'\n      tokens: ['sk-very-new'], memorySearch", 1))
	if text, err = b.do(t, "agent max"); err != nil || strings.Contains(text, "sk-very") || strings.Count(text, "<hidden>") != 3 {
		t.Errorf("%s %v", text, err)
	}
}

// Nothing is written without a yes, and what the gateway rejects is told.
func TestRemovalAsksAndRejectionIsTold(t *testing.T) {
	b, c := newClaw(t)
	b.desk.yes = false
	if _, err := b.do(t, "removeagent max"); err == nil || err.Error() != "Not done; nothing was changed." || c.text(t) != clawText {
		t.Errorf("%v\n%s", err, c.text(t))
	}
	c.outcome = openclaw.Outcome{Verdict: openclaw.Rejected, Issues: []openclaw.Issue{{Path: "agents", Message: "no"}}}
	_, err := b.do(t, "removeagent max --yes --purge")
	if err == nil || !strings.HasPrefix(err.Error(), "The gateway rejected it, so I put the file back as it was: ") || len(c.removed) > 0 {
		t.Errorf("%v %v", err, c.removed)
	}
	c.outcome = openclaw.Outcome{Verdict: openclaw.Unknown, Err: &openclaw.GatewayDownError{Err: syscall.ECONNREFUSED}}
	c.write(t, clawText)
	text, err := b.do(t, "removeagent max --yes --purge")
	if err != nil || !strings.Contains(text, "the gateway is down: it takes effect when it starts") || !strings.Contains(text, "Its workspace stays: there is none for max.") {
		t.Errorf("%s %v", text, err)
	}
	if strings.Contains(c.text(t), "!two:test") {
		t.Errorf("the room is still there:\n%s", c.text(t))
	}
}

// While the question is open, somebody else edits: what has nothing to do with
// it stays, and what has is not overwritten.
func TestOthersEditWhileAQuestionIsOpen(t *testing.T) {
	b, c := newClaw(t)
	b.desk.asked = func() { c.write(t, strings.Replace(clawText, "made by hand", "made by two hands", 1)) }
	if text, err := b.do(t, "removeagent max"); err != nil || !strings.Contains(c.text(t), "two hands") || strings.Contains(c.text(t), "max") {
		t.Errorf("%s %v\n%s", text, err, c.text(t))
	}
	c.write(t, clawText)
	other := strings.Replace(clawText, "apiKey:", "model: 'm', apiKey:", 1)
	b.desk.asked = func() { c.write(t, other) }
	_, err := b.do(t, "removeagent max")
	var problem *Problem
	if !errors.As(err, &problem) || !strings.Contains(problem.Sentence, "Somebody else has changed") || c.text(t) != other {
		t.Errorf("%v\n%s", err, c.text(t))
	} else if diff := problem.Detail.Text(); !strings.Contains(diff, "model: 'm'") || strings.Contains(diff, "sk-very") {
		t.Error(diff)
	}
}

// Somebody else's change in between is not overwritten by taking back.
func TestUndoRefusesWhatOthersChanged(t *testing.T) {
	b, c := newClaw(t)
	b.journaled(t, "agent mox set name Moxie")
	other := strings.Replace(c.text(t), "made by hand", "made by hands", 1)
	c.write(t, other)
	_, err := b.do(t, "undo")
	if err == nil || !strings.Contains(err.Error(), "Somebody else has changed") || c.text(t) != other {
		t.Errorf("%v\n%s", err, c.text(t))
	}
}

func FuzzWordAt(f *testing.F) {
	for _, line := range []string{`agent mox set env {"A": "b c"}`, `a "b c`, `it's`, `it's "a" 'b c'`, `“x y” z`, `a\ b c`, "a\tb", `#x 'y z' "`} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Split(line)
		if err != nil || len(words) == 0 {
			t.Skip()
		}
		word, rest := wordAt(line, len(words)-1)
		if word == "" || rest != "" {
			t.Fatalf("%q: Split gives %q, the last is typed %q with %q behind it", line, words, word, rest)
		}
		if first, _ := wordAt(line, 0); first == "" {
			t.Fatalf("%q has no first word", line)
		}
	})
}
