package e2e

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// What is on a joining card is nowhere else: not in the log, the database, an
// argument list, an environment, or what the homeserver keeps of the rooms.
func TestSecretsAreOnTheCardAlone(t *testing.T) {
	processes := watchProcesses(t)
	secrets := map[string]string{
		"a first password":     readCard(t, say(t, shared.admin, "!adduser gwen").Body).password,
		"a second password":    readCard(t, say(t, shared.admin, "!passwd gwen").Body).password,
		"a friend's token":     tokenLine(t, say(t, shared.admin, "!adduser hank --token").Body),
		"a token":              tokenLine(t, say(t, shared.admin, "!tokens new").Body),
		"a password of a list": cardsIn(t, shared.owner, say(t, shared.admin, "!adduser\nivy\nida"))["@ivy:fraktalia.test"],
	}
	text, said, err := shared.Shell(within(t), nil, "passwd", "gwen")
	if err != nil {
		t.Fatalf("%v %s", err, said)
	}
	secrets["a password in the shell"] = readCard(t, text).password
	if out := say(t, shared.admin, "!tokens revoke "+secrets["a token"][:6]); !out.OK { // as !tokens names it
		t.Error(out.Body)
	}
	for what, secret := range secrets {
		if len(secret) < 12 {
			t.Fatalf("%s is %q", what, secret)
		}
	}
	kept := ownFiles(t)
	kept["the processes' arguments and environments"] = processes()
	events, err := shared.StoredEvents(within(t), shared.BotUserID.String())
	must(t, err)
	for _, e := range events {
		kept["an event of type "+e.Type] = append(kept["an event of type "+e.Type], e.JSON...)
	}
	for place, content := range kept {
		for what, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s is in %s", what, place)
			}
		}
	}
	if !bytes.Contains(kept["fraktalia.db"], []byte("@gwen:fraktalia.test")) && !bytes.Contains(kept["fraktalia.db-wal"], []byte("@gwen:fraktalia.test")) {
		t.Error("the database is not what was searched")
	}
	if !bytes.Contains(kept["the processes' arguments and environments"], []byte(shared.DataDir)) {
		t.Error("the arguments are not what was searched")
	}
}

// ownFiles are the contents of what the program writes, but for its folder of
// secrets: database and logs, its own and those of its homeserver.
func ownFiles(t *testing.T) map[string][]byte {
	t.Helper()
	kept := map[string][]byte{}
	must(t, filepath.WalkDir(shared.DataDir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "secrets" || entry.Name() == "synapse"):
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		name, _ := filepath.Rel(shared.DataDir, path)
		kept[name], err = os.ReadFile(path)
		return err
	}))
	return kept
}

// watchProcesses reads what all processes are started with, again and again,
// until the function that it returns is called.
func watchProcesses(t *testing.T) func() []byte {
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	var seen bytes.Buffer
	var watching sync.WaitGroup
	watching.Go(func() {
		known := map[string]bool{}
		for ctx.Err() == nil {
			list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, path := range list {
				line, _ := os.ReadFile(path)
				environment, _ := os.ReadFile(strings.TrimSuffix(path, "cmdline") + "environ")
				if text := string(line) + string(environment); !known[text] {
					known[text] = true
					seen.WriteString(text)
				}
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	return func() []byte {
		stop()
		watching.Wait()
		return seen.Bytes()
	}
}

// Credentials that the homeserver does not take: what to do is said, and a
// mended file counts at once.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	s := newSolo(t, "credentials")
	token := filepath.Join(t.TempDir(), "admin-token")
	must(t, os.WriteFile(token, []byte("syt_expired\n"), 0o600))
	must(t, s.SetConfig(`admin_token_file: ""`, `admin_token_file: "`+token+`"`))
	s.start(t)
	for line, want := range map[string]string{
		"!lock mona": "refuses the administrator's access token: it is wrong or has expired",
		"!tokens":    "refuses the administrator's access token", "!removeuser mona": "refuses the administrator's access token",
		"!adduser mona --token": "refuses the administrator's access token",
	} {
		if out := say(t, s.admin, line); out.OK || !strings.Contains(out.Body, want) {
			t.Errorf("%s: ok=%v\n%s", line, out.OK, out.Body)
		}
	}
	if out := say(t, s.admin, "!adduser mona"); !out.OK {
		t.Errorf("an account needs the shared secret alone: %s", out.Body)
	}
	if out := say(t, s.admin, "!users"); !out.OK || !strings.Contains(out.Body, "does not let me list its accounts") || !strings.Contains(out.Body, "mona") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	secret := filepath.Join(s.DataDir, "secrets", "synapse-registration")
	right, err := os.ReadFile(secret)
	must(t, err)
	must(t, os.WriteFile(secret, []byte("not it"), 0o600))
	if out := say(t, s.admin, "!adduser nils"); out.OK || !strings.Contains(out.Body, "refuses our registration secret. Put its registration_shared_secret into the file") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	must(t, os.WriteFile(secret, right, 0o600))
	if out := say(t, s.admin, "!adduser nils"); !out.OK {
		t.Errorf("mended: %s", out.Body)
	}
}
