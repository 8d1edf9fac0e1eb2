package e2e

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
)

func TestTheShellHasTheSameCommands(t *testing.T) {
	ctx := within(t)
	out, said, err := shared.Shell(ctx, nil, "forward", "9041")
	if err != nil || !strings.Contains(out, "9041") {
		t.Fatalf("%v\n%s\n%s", err, out, said)
	}
	if list := say(t, shared.admin, "!forwards"); !strings.Contains(list.Body, "9041") {
		t.Errorf("the room does not know of it:\n%s", list.Body)
	}
	var rows []struct{ Port int }
	out, said, err = shared.Shell(ctx, nil, "forwards", "--json")
	if err != nil || json.Unmarshal([]byte(out), &rows) != nil || len(rows) != 1 || rows[0].Port != 9041 {
		t.Errorf("--json: %v\n%s\n%s", err, out, said)
	}
	if out, said, err = shared.Shell(ctx, nil, "unforward", "9041"); err != nil {
		t.Errorf("unforward: %v\n%s\n%s", err, out, said)
	}
	if isOpen(9041) {
		t.Error("the port is open after unforward")
	}
}

func TestTheShellRefusesInTheSameWords(t *testing.T) {
	ctx := within(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"forward", "80"}, "9000 to 9099"},
		{[]string{"unforward", "9042"}, "not forwarded"},
		{[]string{"adduser", "mila"}, "exists"},
		{[]string{"forwrad", "9005"}, "Did you mean"},
		{[]string{"forward"}, "Usage"},
	} {
		out, said, err := shared.Shell(ctx, nil, c.args...)
		if err == nil || !strings.Contains(said, c.want) || out != "" {
			t.Errorf("%v: %v, want %q\nout: %s\nsaid: %s", c.args, err, c.want, out, said)
		}
	}
}

func TestTheShellShowsTheCardAndKeepsTheRecord(t *testing.T) {
	out, said, err := shared.Shell(within(t), nil, "adduser", "hubert")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	hugo := readCard(t, out)
	ctx := within(t)
	his, err := shared.Person(ctx, hugo.user, hugo.password)
	must(t, err)
	defer his.Close()
	if _, err := his.WaitInvite(ctx, shared.ChatRoom); err != nil {
		t.Error(err)
	}
}

func TestTheShellWithoutAProgram(t *testing.T) {
	gone := *shared.Deployment
	gone.Socket = t.TempDir() + "/none.sock"
	_, said, err := gone.Shell(within(t), nil, "status")
	if err == nil || !strings.Contains(said, "none.sock") || strings.Count(strings.TrimSpace(said), "\n") > 1 {
		t.Errorf("%v\n%s", err, said)
	}
}

// Rubbish on the socket neither harms the program nor gets an effect.
func TestTheSocketSurvivesRubbish(t *testing.T) {
	for _, rubbish := range []string{"\n", "{", "null\n", "[]\n", `{"args":null}` + "\n", `{"args":["forward"`, strings.Repeat("x", 1<<20), "\x00\xff\n"} {
		conn, err := net.Dial("unix", shared.Socket)
		must(t, err)
		if _, err := conn.Write([]byte(rubbish)); err != nil {
			t.Logf("%.20q: %v", rubbish, err) // it may hang up early
		}
		conn.Close()
	}
	if _, said, err := shared.Shell(within(t), nil, "status"); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		out, said, err := shared.Shell(within(t), nil, "completion", shell)
		if err != nil || !strings.Contains(out, "fraktalia") {
			t.Errorf("%s: %v\n%s", shell, err, said)
		}
	}
}
