package openclaw

import (
	"slices"
	"strings"
	"testing"
)

// What an OpenClaw gets that is adopted depends on what it has. Done twice, it is
// done once.
func TestAdopt(t *testing.T) {
	adoption := Adoption{Agent: "max", Room: "!room", Homeserver: "http://127.0.0.1:8008", User: "@max:h", PasswordFile: "/data/secrets/agent-max"}
	for name, c := range map[string]struct {
		text, agent string
		has, not    []string
	}{
		"nothing there":  {`{ agents: { entries: { 'max': {} } } }`, "max", []string{"matrix", "admin-http-rpc", "!room", "autoReply", "bindings", "/data/secrets/agent-max"}, []string{"accounts", "accountId", "users"}},
		"no agent":       {`{ gateway: {} }`, "", []string{"@max:h", "autoJoinAllowlist"}, []string{"bindings", "!room"}},
		"for others":     {`{ gateway: { bind: 'lan' }, agents: { list: [{ id: 'max' }] } }`, "max", []string{"@max:h"}, []string{"admin-http-rpc"}},
		"a list of some": {`{ plugins: { allow: ['memory'] }, agents: { list: [{ id: 'max' }] } }`, "max", []string{"'matrix'", "'admin-http-rpc'"}, nil},
		"one elsewhere": {`{ agents: { list: [{ id: 'max' }] }, channels: { matrix: { userId: '@max:other', groupAllowFrom: ['@boss:other'] } } }`, "max",
			[]string{"accounts", "accountId: 'fraktalia'", "users", "'*'"}, []string{"defaultAccount"}},
		"one that has a name": {`{ agents: { list: [{ id: 'max' }] }, channels: { matrix: { accounts: { home: { userId: '@max:other' } } } } }`, "max", []string{"defaultAccount: 'home'", "accountId: 'fraktalia'"}, nil},
		"ours already":        {`{ agents: { list: [{ id: 'max' }] }, channels: { matrix: { accounts: { home: { userId: '@max:h' } } } } }`, "max", []string{"accountId: 'home'"}, []string{"secrets", "password"}},
	} {
		t.Run(name, func(t *testing.T) {
			adoption.Agent = c.agent
			before := loadText(t, c.text)
			plan, err := before.Plan(Adopt(adoption))
			if err != nil {
				t.Fatal(err)
			}
			after := string(plan.After().Document().Bytes())
			if added := strings.ReplaceAll(after, `"`, "'"); slices.ContainsFunc(c.has, func(s string) bool { return !strings.Contains(added, s) }) ||
				slices.ContainsFunc(c.not, func(s string) bool { return strings.Contains(added, s) }) {
				t.Errorf("%s", after)
			}
			again, err := plan.After().Plan(Adopt(adoption))
			if err != nil || again.Diff() != "" {
				t.Errorf("%v\n%s", err, again.Diff())
			}
		})
	}
}

func TestDeaf(t *testing.T) {
	for version, want := range map[string]bool{"2026.7.35": true, "2025.12.1": true, "2026.8.1-beta.3": false, "2026.9.6": false, "2027.1": false, "new": false} {
		if Deaf(version) != want {
			t.Errorf("%s: %v", version, !want)
		}
	}
}

// In rooms of our server an agent speaks with an account of our server, whatever
// OpenClaw's default one is.
func TestAccountOn(t *testing.T) {
	const elsewhere = `channels: { matrix: { userId: '@max:other', accounts: { ours: { userId: '@max:h' } } } }`
	for text, want := range map[string]string{
		`{ ` + elsewhere + ` }`: "ours",
		`{ bindings: [{ agentId: 'max', match: { channel: 'matrix' } }], ` + elsewhere + ` }`:                                                                                              "ours",
		`{ channels: { matrix: { userId: '@max:h', accounts: { two: { userId: '@mix:h' } } } } }`:                                                                                          "",
		`{ channels: { matrix: { accounts: { one: { userId: '@a:other' }, two: { userId: '@mix:h' } } } } }`:                                                                               "two",
		`{ bindings: [{ agentId: 'mix', match: { channel: 'matrix', accountId: 'mix' } }], channels: { matrix: { accounts: { mix: { userId: '@mix:h' } } } } }`:                            "mix",
		`{ bindings: [{ agentId: 'mix', match: { channel: 'matrix', accountId: 'mix' } }], channels: { matrix: { accounts: { mix: { userId: '@mix:h' }, two: { userId: '@two:h' } } } } }`: "two",
		`{ channels: { matrix: { accessToken: 'x' } } }`:                                                                                                                                   "",
		`{ bindings: [{ agentId: 'max', match: { channel: 'matrix', accountId: 'two' } }], channels: { matrix: {} } }`:                                                                     "two",
	} {
		if got := loadText(t, text).AccountOn("h", "max"); got != want {
			t.Errorf("%s: %q, not %q", text, got, want)
		}
	}
}
