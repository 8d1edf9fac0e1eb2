package openclaw

import (
	"strings"
	"testing"
)

const manyAccounts = `{
  meta: {}, gateway: { mode: 'local', port: 18789 }, // the usual one
  channels: { matrix: {
    homeserver: 'http://127.0.0.1:8008', userId: '@mox:family.example', // ours
    accounts: {
      home: { homeserver: 'http://localhost:8008', userId: '@mix:family.example' },
      far: { homeserver: 'https://matrix.example', userId: '@mox:family.example' },
      other: { homeserver: 'http://127.0.0.1:9009', userId: '@mox:elsewhere.example' },
      plain: { userId: '@max:family.example' },
    },
  } },
}
`

// What is on our server moves with it, and nothing else does.
func TestAddressesMove(t *testing.T) {
	c := loadText(t, manyAccounts)
	plan, err := c.Plan(InTurn(MoveHomeserver("family.example", "http://127.0.0.1:8100"), MoveGateway(18800)))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("http://127.0.0.1:8008", "http://127.0.0.1:8100", "http://localhost:8008", "http://127.0.0.1:8100", "18789", "18800").Replace(manyAccounts)
	if got := string(plan.After().Document().Bytes()); got != want {
		t.Errorf("%s", got)
	}
	if port := plan.After().GatewayPort(); port != 18800 {
		t.Errorf("port %d", port)
	}
	again, err := plan.After().Plan(InTurn(MoveHomeserver("family.example", "http://127.0.0.1:8100"), MoveGateway(18800)))
	if err != nil || again.Diff() != "" {
		t.Errorf("done twice: %v\n%s", err, again.Diff())
	}
}

// An address that the channel gives to its accounts is moved where one of them
// is ours; one without accounts of ours stays.
func TestTheChannelsAddressMovesForItsAccounts(t *testing.T) {
	for text, want := range map[string]bool{
		`{ channels: { matrix: { homeserver: 'http://10.0.0.1:8008', accounts: { a: { userId: '@mox:h' } } } } }`:                           true,
		`{ channels: { matrix: { homeserver: 'http://10.0.0.1:8008', accounts: { a: { userId: '@mox:h', homeserver: 'https://x' } } } } }`:  false,
		`{ channels: { matrix: { homeserver: 'http://10.0.0.1:8008', userId: '@mox:not.h', accounts: { a: { userId: '@mox:h.not' } } } } }`: false,
		`{ channels: { matrix: { homeserver: 'http://10.0.0.1:8008', userId: '@mox:not.h', accounts: { a: { userId: '@mox:h' } } } } }`:     true,
		`{ channels: { matrix: { homeserver: 'http://10.0.0.1:8008', userId: '@mox:evilh' } } }`:                                            false,
		`{ channels: { matrix: { homeserver: 'http://matrix.lan:8008', userId: '@mox:h' } } }`:                                              false,
		`{ channels: { matrix: { userId: '@mox:h' } } }`:                                                                                    false,
		`{}`: false,
	} {
		plan, err := loadText(t, text).Plan(MoveHomeserver("h", "http://127.0.0.1:8100"))
		if err != nil || (plan.Diff() != "") != want {
			t.Errorf("%s: %v\n%s", text, err, plan.Diff())
		}
	}
}
