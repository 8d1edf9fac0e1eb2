package openclaw

import (
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// One person more is heard in one room; afterwards the text is to the byte what
// it was.
func TestHearAndNoMore(t *testing.T) {
	text := `{
  channels: { matrix: {
    groupPolicy: 'allowlist', groupAllowFrom: ['@a:h'], // the owner
    groups: { '!own:h': { users: ['@c:h'] }, '!all:h': { users: ['*'] }, '!plain:h': { enabled: true }, '!bot:h': { users: ['@bot:h', '@a:h'] } },
    accounts: { open: { groupPolicy: 'open', groups: { '!plain:h': {} } }, two: { groupAllowFrom: ['@bot:h'] } },
  } },
}
`
	for where, want := range map[string]string{
		"!own:h ":       "users: ['@c:h', '@bot:h'] }, '!all",
		"!plain:h ":     "{ enabled: true, users: ['@a:h', '@bot:h'] }",
		"!all:h ":       "",
		"!bot:h ":       "",
		"!none:h ":      "",
		"!plain:h open": "",
		"!plain:h two":  "",
	} {
		room, account, _ := strings.Cut(where, " ")
		config := configOf(t, text)
		heard := applied(t, config, Hear(room, account, "@bot:h"))
		after := string(heard.Document().Bytes())
		if want == "" && after != text || want != "" && (!strings.Contains(after, want) || strings.Count(after, "@bot:h") != strings.Count(text, "@bot:h")+1) {
			t.Errorf("%s:\n%s", where, after)
		}
		if want == "" {
			continue
		}
		if back := string(applied(t, heard, HearNoMore(room, account, "@bot:h")).Document().Bytes()); back != text {
			t.Errorf("%s, back:\n%s", where, back)
		}
	}
}

// Several edits are one: each sees what the ones before have done.
func TestInTurn(t *testing.T) {
	config := configOf(t, "{ agents: { entries: {} } }\n")
	after := applied(t, config, InTurn(AddAgent(NewAgent{ID: "mox"}), Bind(BindRoom{AgentID: "mox", Room: "!r:h"}), SetInAgent("mox", json5.Path{json5.Key("name")}, json5.StringValue("Mox"))))
	if agent, err := after.Agent("mox"); err != nil || agent.Text("name") != "Mox" || len(after.Rooms("mox")) != 1 {
		t.Errorf("%v\n%s", err, after.Document().Bytes())
	}
	if _, err := config.Plan(InTurn(AddAgent(NewAgent{ID: "mox"}), AddAgent(NewAgent{ID: "mox"}))); err == nil {
		t.Error("the second edit did not see the first one's work")
	}
}

func configOf(t *testing.T, text string) *Config {
	t.Helper()
	config, err := LoadConfig(writeFile(t, t.TempDir()+"/openclaw.json", text))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func applied(t *testing.T, config *Config, edit EditFunc) *Config {
	t.Helper()
	plan, err := config.Plan(edit)
	if err != nil {
		t.Fatal(err)
	}
	return plan.After()
}
