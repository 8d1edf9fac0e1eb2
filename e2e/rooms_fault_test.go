package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// The homeserver fails, or the program is killed, at each step of what is done
// with rooms: nothing is lost, nobody is told what is not so, and the same line
// goes on.
func TestRoomsWhenThingsBreak(t *testing.T) {
	t.Parallel() // it has a homeserver of its own
	s := newSolo(t, "roomfaults")
	proxy, err := harness.NewProxy(s.Homeserver)
	must(t, err)
	t.Cleanup(proxy.Close)
	must(t, s.SetConfig("address: "+s.Homeserver, "address: "+proxy.Address))
	path := clawFile(t, s.DataDir, clawMatrix)
	s.start(t)
	friend := befriend(t, s.admin, s, "tove")
	befriend(t, s.admin, s, "moxbot")

	t.Run("emptying", func(t *testing.T) { emptyingFails(t, s, proxy, friend) })
	t.Run("making", func(t *testing.T) { makingFails(t, s, proxy, path) })
	t.Run("limits", func(t *testing.T) { limitsAreWaitedOut(t, s, proxy, friend) })
	t.Run("a wrong token", func(t *testing.T) { wrongToken(t, s) })
	must(t, s.Process.Stop(within(t)))
	t.Run("killed", func(t *testing.T) { killedWhileEmptying(t, s, friend) })
	t.Run("killed while making", func(t *testing.T) { killedWhileMaking(t, s) })
}

// on breaks requests of a method whose path holds part.
func on(method, part string, verdict harness.Verdict) func(*http.Request) harness.Verdict {
	return func(r *http.Request) harness.Verdict {
		if r.Method == method && strings.Contains(r.URL.Path, part) {
			return verdict
		}
		return harness.Pass
	}
}

func emptyingFails(t *testing.T, s *solo, proxy *harness.Proxy, friend *client.Client) {
	f := fill(t, s.admin, friend, "Shed")
	line := "!reset-room " + string(f.room.ID) + " --yes"
	steps := []struct {
		judge func(*http.Request) harness.Verdict
		want  string
		files int // that are there afterwards
	}{
		{on("GET", "/_synapse/admin/v1/rooms", harness.Cut), "does not answer. Say it again when it is back", 2},
		{on("GET", "/messages", harness.Cut), "does not answer", 2},
		{on("GET", "/_synapse/admin/v1/users/", harness.Cut), "does not answer", 2},
		{on("DELETE", "/_synapse/admin/v1/media/", harness.Cut), "The homeserver does not answer any more. Deleted so far: 0 files of 2.", 2},
		{on("DELETE", "/_synapse/admin/v1/media/", harness.Lose), "Deleted so far: 0 files of 2.", 1},
		{on("POST", "/_synapse/admin/v1/purge_history/", harness.Cut), "Deleted so far: 1 file of 1.", 0},
		{on("GET", "/_synapse/admin/v1/purge_history_status/", harness.Cut), "Deleted so far: 0 files of 0.", 0},
	}
	for i, step := range steps {
		proxy.Judge(step.judge)
		out := say(t, s.admin, line)
		proxy.Judge(nil)
		if out.OK || !strings.Contains(out.Body, step.want) {
			t.Errorf("step %d: ok=%v, want %q in\n%s", i, out.OK, step.want, out.Body)
		}
		left := 0
		for _, file := range f.files {
			if there(t, friend, file) {
				left++
			}
		}
		if left != step.files {
			t.Errorf("step %d: %d files are there, want %d", i, left, step.files)
		}
	}
	if out := say(t, s.admin, line); !out.OK || !strings.Contains(out.Body, "empty") {
		t.Errorf("in the end: ok=%v\n%s", out.OK, out.Body)
	}
	if n := history(t, f.friend); n > 1 {
		t.Errorf("%d messages are left", n)
	}
}

func makingFails(t *testing.T, s *solo, proxy *harness.Proxy, path string) {
	for _, step := range []struct {
		judge func(*http.Request) harness.Verdict
		want  string
		made  bool
	}{
		{on("POST", "/createRoom", harness.Cut), "does not answer", false},
		{on("GET", "/_synapse/admin/v2/users/", harness.Cut), "does not answer", false},
		{on("POST", "/invite", harness.Cut), "Nothing was made.", false},
	} {
		proxy.Judge(step.judge)
		out := say(t, s.admin, "!createroom Barn --agent mox --invite tove")
		proxy.Judge(nil)
		if out.OK || !strings.Contains(out.Body, step.want) {
			t.Errorf("ok=%v, want %q in\n%s", out.OK, step.want, out.Body)
		}
		if room := listedOn(t, s.Deployment, "Barn"); (room != nil) != step.made {
			t.Errorf("%s: there is %+v", step.want, room)
		}
		wantClaw(t, path, clawMatrix)
	}
}

// limitsAreWaitedOut: a short limit costs time and nothing else, a long one is
// told.
func limitsAreWaitedOut(t *testing.T, s *solo, proxy *harness.Proxy, friend *client.Client) {
	f := fill(t, s.admin, friend, "Loft")
	line := "!reset-room " + string(f.room.ID) + " --yes"
	proxy.Judge(on("DELETE", "/_synapse/admin/v1/media/", harness.Limits))
	out := say(t, s.admin, line)
	if out.OK || !strings.Contains(out.Body, "The homeserver asks to wait 1h0m0s. Say it again then.") {
		t.Errorf("a long limit: ok=%v\n%s", out.OK, out.Body)
	}
	limited := map[string]bool{}
	proxy.Judge(func(r *http.Request) harness.Verdict { // each address once
		if strings.Contains(r.URL.Path, "/_synapse/admin/") && !limited[r.URL.Path] {
			limited[r.URL.Path] = true
			return harness.Limit
		}
		return harness.Pass
	})
	out = say(t, s.admin, line)
	proxy.Judge(nil)
	if !out.OK || !strings.Contains(out.Body, "2 files") || len(limited) < 4 {
		t.Errorf("short limits on %d addresses: ok=%v\n%s", len(limited), out.OK, out.Body)
	}
}

// wrongToken: an administrator's token that is refused is told with what to do,
// and the rooms that the bot is in are listed all the same.
func wrongToken(t *testing.T, s *solo) {
	file := filepath.Join(s.DataDir, "secrets", "admin-token")
	must(t, os.WriteFile(file, []byte("syt_expired\n"), 0o600))
	must(t, s.Process.Stop(within(t)))
	must(t, s.SetConfig(`admin_token_file: ""`, "admin_token_file: "+file))
	s.start(t)
	out := say(t, s.admin, "!rooms")
	if !out.OK || !strings.Contains(out.Body, "Friends") || !strings.Contains(out.Body, "These are the rooms that I am in;") || !strings.Contains(out.Body, "homeserver.admin_token_file") {
		t.Errorf("!rooms: ok=%v\n%s", out.OK, out.Body)
	}
	out = say(t, s.admin, "!reset-room Friends --yes")
	if out.OK || !strings.Contains(out.Body, "it is wrong or has expired") {
		t.Errorf("!reset-room: ok=%v\n%s", out.OK, out.Body)
	}
	if out = say(t, s.admin, "!status"); !strings.Contains(out.Body, "refuses the administrator's token") {
		t.Errorf("!status:\n%s", out.Body)
	}
	must(t, s.SetConfig("admin_token_file: "+file, `admin_token_file: ""`))
	must(t, s.Process.Stop(within(t)))
	s.start(t)
	if out = say(t, s.admin, "!status"); !strings.Contains(out.Body, "Synapse, which can do all that I can ask for") {
		t.Errorf("!status:\n%s", out.Body)
	}
}

func killedWhileEmptying(t *testing.T, s *solo, friend *client.Client) {
	for i, at := range []string{"reset.media", "reset.mediadone", "reset.history", "reset.sessions"} {
		s.start(t, "FRAKTALIA_CRASH_AT="+at)
		f := fill(t, s.admin, friend, fmt.Sprint("Cellar ", i))
		line := "!reset-room " + string(f.room.ID) + " --yes"
		ctx := within(t)
		turn, err := s.admin.Say(ctx, line)
		must(t, err)
		s.waitKilled(ctx, t)
		s.start(t)
		out, err := turn.Final(ctx)
		must(t, err)
		if out.OK || !strings.Contains(out.Body, "Say it again: it shows what is left, and goes on there.") {
			t.Errorf("%s: ok=%v\n%s", at, out.OK, out.Body)
		}
		if out := say(t, s.admin, line); !out.OK || !strings.Contains(out.Body, "empty") {
			t.Errorf("%s, again: ok=%v\n%s", at, out.OK, out.Body)
		}
		for _, file := range f.files {
			if there(t, friend, file) {
				t.Errorf("%s: %s is there still", at, file)
			}
		}
		if n := history(t, f.friend); n > 1 {
			t.Errorf("%s: %d messages are left", at, n)
		}
		must(t, s.Process.Stop(ctx))
	}
}

func killedWhileMaking(t *testing.T, s *solo) {
	for at, agents := range map[string]int{"createroom.made": 0, "createroom.bound": 1} {
		s.start(t, "FRAKTALIA_CRASH_AT="+at)
		ctx := within(t)
		turn, err := s.admin.Say(ctx, "!createroom "+strings.ReplaceAll(at, ".", "-")+" --agent mox")
		must(t, err)
		s.waitKilled(ctx, t)
		s.start(t)
		out, err := turn.Final(ctx)
		must(t, err)
		if out.OK || !strings.Contains(out.Body, "!rooms tells whether the room is there") {
			t.Errorf("%s: ok=%v\n%s", at, out.OK, out.Body)
		}
		room := listedOn(t, s.Deployment, strings.ReplaceAll(at, ".", "-"))
		if room == nil || len(room.Agents) != agents {
			t.Errorf("%s: listed as %+v", at, room)
		}
		must(t, s.Process.Stop(ctx))
	}
}
