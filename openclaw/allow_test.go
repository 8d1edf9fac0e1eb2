package openclaw

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const listed = `{
  bindings: [{ agentId: 'mox', match: { channel: 'matrix', accountId: 'two', peer: { kind: 'channel', id: '!bound:h' } } }],
  channels: { matrix: {
    groupAllowFrom: ['@a:h'], // everybody else is not heard
    dm: { policy: 'allowlist', allowFrom: ['@a:h'] },
    groups: { '!one:h': { users: ['@a:h'] }, '!open:h': { users: ['*'] }, '!plain:h': {} },
    accounts: { two: { groupAllowFrom: ['@b:h'], dm: { policy: 'pairing', allowFrom: ['@b:h'] } } },
  } },
}
`

// Somebody is put on the lists of their rooms and on no other; taken off again,
// the file is to the byte what it was.
func TestAdmitAndExpel(t *testing.T) {
	for room, want := range map[string]map[string]int{
		"!one:h":   {"groupAllowFrom": 1, "dm": 1, "users": 1},
		"!open:h":  {"groupAllowFrom": 1, "dm": 1},
		"!plain:h": {"groupAllowFrom": 1, "dm": 1},
		"!bound:h": {"two": 1},
		"!other:h": {},
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "openclaw.json"), listed)
		edit := func(edit EditFunc) *Config {
			t.Helper()
			config, err := LoadConfig(path)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := config.Plan(edit)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := plan.Commit(context.Background()); err != nil {
				t.Fatal(err)
			}
			after, err := LoadConfig(path)
			if err != nil {
				t.Fatal(err)
			}
			return after
		}
		after := edit(Admit([]string{room}, "@new:h"))
		got := map[string]int{}
		for _, list := range after.allLists() {
			value, _ := follow(after.Value(), list)
			if !holds(value, "@new:h") {
				continue
			}
			name, _ := list[2].AsKey()
			switch name {
			case "groups":
				name, _ = list[4].AsKey()
			case "accounts":
				name, _ = list[3].AsKey()
			}
			got[name]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", room, diff)
		}
		if again := edit(Admit([]string{room}, "@new:h")); string(again.files[again.root].Bytes()) != string(after.files[after.root].Bytes()) {
			t.Errorf("%s: put on a list twice", room)
		}
		if back := edit(Expel("@new:h")); string(back.files[back.root].Bytes()) != listed {
			t.Errorf("%s: left behind\n%s", room, back.files[back.root].Bytes())
		}
	}
}
