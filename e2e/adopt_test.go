package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/harness"
)

// theirs is an OpenClaw that somebody has set up by hand, with a secret in it.
func theirs(port int, model, more string) string {
	return fmt.Sprintf(`{
  // set up by hand, years ago
  meta: { lastTouchedVersion: "2026.9.6" },
  gateway: { mode: "local", port: %d, bind: "loopback", auth: { mode: "token", token: "their-own-secret-0123456789" } }, // here
  models: { providers: { mine: { baseUrl: %q, apiKey: "their-model-key-0123", api: "openai-completions", models: [{ id: "parrot-1", name: "parrot-1" }] } } },
  agents: {
    ownership: "explicit",
    defaults: { model: { primary: "mine/parrot-1" } },
    entries: { max: { name: "Max" }, moritz: {} }, // two of them
  },
%s}
`, port, model, more)
}

// elsewhere is a Matrix channel on another homeserver, where some are heard.
const channelElsewhere = `  channels: { matrix: { enabled: true, homeserver: "http://127.0.0.1:9", userId: "@max:elsewhere.example", accessToken: "syt_theirs", groupPolicy: "allowlist", groupAllowFrom: ["@boss:elsewhere.example"] } },
`

// adoptable prepares a deployment on a machine that has an OpenClaw.
func adoptable(t *testing.T, text string) (d *harness.Deployment, path string) {
	t.Helper()
	dir := t.TempDir()
	d, err := harness.New(within(t), shared.Binary, dir)
	must(t, err)
	d.Env = []string{shared.engine.Env(), "HOME=" + dir}
	path = filepath.Join(dir, ".openclaw", "openclaw.json")
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return d, path
}

// keepsAll says whether all that a text has is in another one, in order; an object
// may have got more at its end.
func keepsAll(before, after string) bool {
	for line := range strings.Lines(before) {
		_, rest, found := strings.Cut(after, strings.TrimRight(line, " },\n"))
		if !found {
			return false
		}
		after = rest
	}
	return true
}

// An OpenClaw that is there and runs is adopted, by what was shown before and no
// other byte: its agent answers in the chat room. Its other account stays as it
// is. One line takes the change back.
func TestAnOpenClawIsAdopted(t *testing.T) {
	for name, channel := range map[string]string{"without Matrix": "", "of an older form, with Matrix elsewhere": channelElsewhere} {
		t.Run(name, func(t *testing.T) {
			shared.gateway.Lock()
			t.Cleanup(shared.gateway.Unlock)
			ctx := patient(t)
			m, err := harness.StartModel("")
			must(t, err)
			t.Cleanup(m.Stop)
			port, err := harness.FreePort()
			must(t, err)
			before := theirs(port, m.URL, channel)
			if channel != "" {
				before = older(before)
			}
			d, path := adoptable(t, before)
			env, err := harness.WithMatrix(ctx, filepath.Dir(path))
			must(t, err)
			gateway, err := harness.StartOpenClaw(ctx, path, port, env)
			must(t, err)
			t.Cleanup(gateway.Stop)
			wantClaw(t, path, before) // it does not write by itself
			must(t, d.Up(ctx, "--adopt", "--agent", "max"))
			t.Cleanup(func() { must(t, d.Down(within(t))) })
			must(t, d.Process.AwaitSaid(ctx, "applied by the gateway"))
			said := d.Process.Said()
			after, err := os.ReadFile(path)
			must(t, err)
			if !strings.Contains(said, "applied by the gateway") || strings.Contains(said, "their-own-secret") || strings.Contains(said, "syt_theirs") || strings.Contains(said, "their-model-key") {
				t.Errorf("it says\n%s", said)
			}
			if !keepsAll(before, string(after)) {
				t.Errorf("the file is\n%s", after)
			}
			answersInChat(ctx, t, d, m, "@max:"+harness.ServerName, gateway)
			if out, said, err := d.Shell(ctx, nil, "config", "undo", "1"); err != nil {
				t.Errorf("%v\n%s\n%s", err, out, said)
			}
			wantClaw(t, path, before)
		})
	}
}

// answersInChat has the owner ask something in the chat room.
func answersInChat(ctx context.Context, t *testing.T, d *harness.Deployment, m *harness.Model, agent string, gateway *harness.OpenClaw) {
	t.Helper()
	owner, err := d.Owner(ctx)
	must(t, err)
	t.Cleanup(func() { owner.Close() })
	chat, err := owner.Enter(ctx, d.ChatRoom, d.BotUserID)
	must(t, err)
	must(t, owner.Record.Wait(ctx, func() bool {
		for _, e := range owner.Record.Events(chat.ID) {
			if e.Type == event.StateMember.Type && string(e.Sender) == agent && e.Content.AsMember().Membership == event.MembershipJoin {
				return true
			}
		}
		return false
	}))
	_, err = chat.Say(ctx, `say: "here I am"`)
	must(t, err)
	err = owner.Record.Wait(ctx, func() bool {
		for _, e := range owner.Record.Events(chat.ID) {
			if string(e.Sender) == agent && e.Type == event.EventMessage.Type && strings.Contains(e.Content.AsMessage().Body, "here I am") {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("%v\nThe model was asked %q\n%s", err, m.Asked(), gateway.Said())
	}
}

// Without a yes not a byte is written, on the owner's side or on ours; what would
// be done is shown, without secrets.
func TestNothingIsAdoptedWithoutAYes(t *testing.T) {
	before := theirs(18888, "http://127.0.0.1:9/v1", channelElsewhere)
	d, path := adoptable(t, before)
	untouched := func(shown string) {
		t.Helper()
		wantClaw(t, path, before)
		if _, err := os.Stat(d.Config()); !os.IsNotExist(err) {
			t.Errorf("fraktalia.yaml: %v", err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
			t.Errorf("%v, %v", left, err)
		}
		for _, secret := range []string{"their-own-secret", "their-model-key", "syt_theirs"} {
			if strings.Contains(shown, secret) {
				t.Errorf("it shows a secret:\n%s", shown)
			}
		}
	}
	up := []string{"up", "--data", d.DataDir, "--listen", d.Listen(), "--server-name", harness.ServerName, "--owner", "mila", "--adopt"}
	t.Run("nobody to ask", func(t *testing.T) {
		cmd := exec.CommandContext(within(t), d.Binary, append(up, "--agent", "max")...)
		cmd.Env = append(os.Environ(), d.Env...)
		out, err := cmd.CombinedOutput()
		for _, want := range []string{"the account @max:fraktalia.test", "+      fraktalia: {", `userId: "@max:fraktalia.test"`, "Say it again with --yes"} {
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%v, no word of %q:\n%s", err, want, out)
			}
		}
		untouched(string(out))
	})
	t.Run("which agent", func(t *testing.T) {
		for want, words := range map[string][]string{"There are max, moritz; say --agent NAME. Nothing was changed.": {"--yes"}, "--agent mux: there is no such agent in": {"--yes", "--agent", "mux"}} {
			cmd := exec.CommandContext(within(t), d.Binary, append(up, words...)...)
			cmd.Env = append(os.Environ(), d.Env...)
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
				t.Errorf("%v, no word of %q:\n%s", err, want, out)
			}
			untouched("")
		}
	})
	for _, answer := range []string{"n", ""} {
		t.Run("the answer "+answer, func(t *testing.T) {
			ctx := within(t)
			terminal, err := d.OnTerminal(up...)
			must(t, err)
			must(t, terminal.Await(ctx, "Which of max, moritz shall answer"))
			must(t, terminal.Type("moritz"))
			must(t, terminal.Await(ctx, "Shall I do that? [y/N] "))
			must(t, terminal.Type(answer))
			if err := terminal.Ended(ctx); err == nil || !strings.Contains(terminal.Shown(), "Not done; nothing was changed.") || !strings.Contains(terminal.Shown(), "@moritz:fraktalia.test") {
				t.Errorf("%v\n%s", err, terminal.Shown())
			}
			untouched(terminal.Shown())
		})
	}
}

// Killed at any point after the yes, what the owner had is there or what they
// said yes to, and the next start, without a word about it, brings it to its end.
// A file that was changed meanwhile is shown anew, and not changed.
func TestAdoptionOutlivesAKill(t *testing.T) {
	before := theirs(18888, "http://127.0.0.1:9/v1", "")
	for _, at := range []string{"adopt.agreed", "config.begun", "config.written", "adopt.written"} {
		t.Run(at, func(t *testing.T) {
			ctx := patient(t)
			d, path := adoptable(t, before)
			d.Binary, d.Env = shared.crashy, append(d.Env, "FRAKTALIA_CRASH_AT="+at)
			if err := d.Up(ctx, "--adopt", "--agent", "max"); err == nil {
				t.Fatal("it was not killed")
			}
			must(t, d.Process.WaitKilled(ctx))
			d.Env = d.Env[:len(d.Env)-1]
			written := at == "config.written" || at == "adopt.written"
			got, err := os.ReadFile(path)
			must(t, err)
			if (string(got) != before) != written {
				t.Fatalf("the file is\n%s", got)
			}
			must(t, d.Up(ctx))
			t.Cleanup(func() { must(t, d.Down(within(t))) })
			got, err = os.ReadFile(path)
			must(t, err)
			if !strings.Contains(string(got), string(d.ChatRoom)) {
				t.Errorf("%s\nthe file is\n%s", d.Process.Said(), got)
			}
		})
	}
}

// An OpenClaw of an older form is adopted as it is, and its agents are listed,
// changed, added and removed in that form; taken back, the file is as it was.
// One in both forms, one that is not readable, and one whose Matrix plugin would
// not hear is refused in a sentence.
func TestAnOpenClawOfAnOlderFormIsAdopted(t *testing.T) {
	ctx := patient(t) // the program is started several times
	before := older(theirs(18888, "http://127.0.0.1:9/v1", channelElsewhere))
	d, path := adoptable(t, before)
	must(t, d.Up(ctx, "--adopt", "--agent", "max"))
	t.Cleanup(func() { must(t, d.Down(within(t))) })
	adopted, err := os.ReadFile(path)
	must(t, err)
	if out, said, err := d.Shell(ctx, nil, "agents"); err != nil || !strings.Contains(out, "max") || !strings.Contains(out, "moritz") {
		t.Errorf("%v\n%s\n%s", err, out, said)
	}
	for want, line := range map[string][]string{
		`{ id: "moritz", name: "Moritz" }`: {"agent", "moritz", "set", "name", "Moritz"},
		`{ id: "mix" }`:                    {"addagent", "mix", "--copy", "moritz"},
		string(d.AdminRoom):                {"bind", "moritz", "Fraktalia"},
	} {
		out, said, err := d.Shell(ctx, nil, line...)
		if got, _ := os.ReadFile(path); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%q: %v\n%s\n%s\n%s", line, err, out, said, got)
		}
		if got, _ := os.ReadFile(path); line[0] == "bind" && strings.Count(string(got), `accountId: "fraktalia"`) != 2 {
			t.Errorf("not with the account that is on the room's server:\n%s", got)
		}
		if out, said, err := d.Shell(ctx, nil, "undo"); err != nil {
			t.Errorf("%q taken back: %v\n%s\n%s", line, err, out, said)
		}
		wantClaw(t, path, string(adopted))
	}
	if out, said, _ := d.Shell(ctx, nil, "status"); !strings.Contains(out+said, "in the old shape (agents.list)") {
		t.Errorf("%s\n%s", out, said)
	}
	was := d.Homeserver
	must(t, d.Process.Stop(ctx))
	must(t, d.Move())
	must(t, d.Up(ctx)) // the account follows the homeserver
	wantClaw(t, path, strings.Replace(string(adopted), was, d.Homeserver, 1))
	for _, number := range []string{"8", "1"} { // three lines taken back lie between
		if out, said, err := d.Shell(ctx, nil, "config", "undo", number); err != nil {
			t.Errorf("%v\n%s\n%s", err, out, said)
		}
	}
	wantClaw(t, path, before)
}

// older writes the roster as it was written before 2026.8.
func older(text string) string {
	return strings.NewReplacer(`entries: { max: { name: "Max" }, moritz: {} }`, `list: [{ id: "max", name: "Max", default: true }, { id: "moritz" }]`, "    ownership: \"explicit\",\n", "").Replace(text)
}

func TestWhatCannotBeAdopted(t *testing.T) {
	whole := theirs(18888, "http://127.0.0.1:9/v1", "")
	for want, text := range map[string]string{
		"has both agents.list and agents.entries":                       `{ agents: { list: [{ id: "max" }], entries: { moritz: {} } } } // mine`,
		"Mend it first (fraktalia config validate":                      `{ agents: `,
		"OpenClaw here is 2026.7.35, and its agents would hear nothing": whole,
	} {
		d, path := adoptable(t, text)
		if text == whole { // a program of that release is found
			bin := filepath.Join(filepath.Dir(d.DataDir), "openclaw")
			must(t, os.MkdirAll(bin, 0o700))
			must(t, os.WriteFile(filepath.Join(bin, "package.json"), []byte(`{"name": "openclaw", "version": "2026.7.35"}`), 0o600))
			must(t, os.WriteFile(filepath.Join(bin, "openclaw"), []byte("#!/bin/sh\nexit 1\n"), 0o700))
			d.Env = append(d.Env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		}
		if err := d.Up(within(t), "--adopt", "--agent", "max"); err == nil || !strings.Contains(d.Process.Said(), want) {
			t.Errorf("%v, no word of %q:\n%s", err, want, d.Process.Said())
		}
		wantClaw(t, path, text)
		if _, err := os.Stat(d.Config()); !os.IsNotExist(err) {
			t.Errorf("fraktalia.yaml: %v", err)
		}
	}
}

// What the owner has changed since their yes is no part of it: they are shown the
// change anew, and are asked again.
func TestAnAdoptionIsNotMadeOfAnotherFile(t *testing.T) {
	ctx := patient(t) // the program is started several times
	before := theirs(18888, "http://127.0.0.1:9/v1", "")
	d, path := adoptable(t, before)
	d.Binary, d.Env = shared.crashy, append(d.Env, "FRAKTALIA_CRASH_AT=adopt.agreed")
	if err := d.Up(ctx, "--adopt", "--agent", "max"); err == nil {
		t.Fatal("it was not killed")
	}
	must(t, d.Process.WaitKilled(ctx))
	d.Env = d.Env[:len(d.Env)-1]
	since := strings.Replace(before, "  agents: {", "  plugins: { entries: { other: { enabled: false } } },\n  agents: {", 1)
	must(t, os.WriteFile(path, []byte(since), 0o600))
	must(t, d.Up(ctx))
	wantClaw(t, path, since)
	must(t, d.Process.AwaitSaid(ctx, "has been changed since it was shown to you"))
	must(t, d.Process.Stop(ctx))
	must(t, d.Up(ctx)) // not asked for again, so nothing is done
	wantClaw(t, path, since)
	must(t, d.Process.Stop(ctx))
	must(t, d.Up(ctx, "--adopt", "--agent", "max"))
	t.Cleanup(func() { must(t, d.Down(within(t))) })
	if got, err := os.ReadFile(path); err != nil || !strings.Contains(string(got), "other: { enabled: false }, matrix: { enabled: true }") {
		t.Errorf("%v\n%s", err, got)
	}
}
