package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
	"github.com/githabideri/fraktalia/e2e/jsclient"
)

// The machine is lost; there are a backup and a copy of the keys. On a new data
// folder the house is as it was: the owner's own device reads and commands,
// friends log in and talk, and what came after the backup is gone.
func TestABackupIsRestoredOnANewMachine(t *testing.T) {
	t.Parallel() // it has a homeserver of its own
	d, _, err := shared.deploy(within(t), shared.Binary, "restore")
	must(t, err)
	t.Cleanup(func() { must(t, d.Down(within(t))) })
	owner, err := d.Owner(within(t))
	must(t, err)
	t.Cleanup(func() { owner.Close() })
	recovery, err := owner.Sign(within(t))
	must(t, err)
	admin, err := owner.Enter(within(t), d.AdminRoom, d.BotUserID)
	must(t, err)
	chat, err := owner.Enter(within(t), d.ChatRoom, d.BotUserID)
	must(t, err)
	rosa, err := moveInto(within(t), d, admin, "rosa")
	must(t, err)
	t.Cleanup(func() { rosa.Client().Close() })
	element, err := jsclient.Start(patient(t), jsclient.Login{Homeserver: d.Homeserver, User: string(d.Ready.Owner.UserID), Password: d.Password})
	must(t, err)
	t.Cleanup(func() { element.Close() })
	must(t, element.SignWith(within(t), recovery))
	must(t, element.Join(within(t), string(d.ChatRoom)))
	hears(t, chat, rosa, "before")
	if out := say(t, admin, "!packages add figlet"); !out.OK {
		t.Fatal(out.Body)
	}
	if out := say(t, admin, "!backup"); !out.OK {
		t.Fatal(out.Body)
	}
	if out := say(t, admin, "!adduser later"); !out.OK {
		t.Fatal(out.Body)
	}
	// A device uses up a key of each that it speaks to. The server of the backup
	// would give the same ones again.
	phone := secondDevice(t, d, recovery)
	fromPhone, err := phone.Enter(within(t), d.ChatRoom, d.BotUserID)
	must(t, err)
	reads(t, element, fromPhone, "from the telephone")
	must(t, phone.Close())
	must(t, d.Process.Stop(within(t)))

	// What is left of the old machine.
	safe := filepath.Join(filepath.Dir(d.DataDir), "safe")
	must(t, os.MkdirAll(safe, 0o700))
	made, err := filepath.Glob(filepath.Join(d.DataDir, "backups", "2*"))
	must(t, err)
	backup := filepath.Join(safe, "backup")
	must(t, os.Rename(made[len(made)-1], backup))
	must(t, os.CopyFS(filepath.Join(safe, "secrets"), os.DirFS(filepath.Join(d.DataDir, "secrets"))))
	must(t, os.RemoveAll(d.DataDir))

	must(t, d.Anew(within(t), filepath.Join(filepath.Dir(d.DataDir), "new")))
	refused := func(want string, args ...string) {
		t.Helper()
		out, err := exec.CommandContext(within(t), d.Binary, append([]string{"restore"}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v, not %q\n%s", args, err, want, out)
		}
	}
	refused("Say which backup", "--data", d.DataDir)
	refused("is no backup: there is no fraktalia.db in it", safe, "--data", d.DataDir)
	refused("--secrets names a copy of the folder secrets", backup, "--data", d.DataDir)
	refused("is no copy of the folder secrets", backup, "--data", d.DataDir, "--secrets", safe)
	others := filepath.Join(d.DataDir, "secrets") // as a set-up on the new machine would have made them
	must(t, os.MkdirAll(others, 0o700))
	must(t, os.WriteFile(filepath.Join(others, "pickle-key"), []byte("another\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(others, "bot-session.json"), []byte(`{"device_id":"ANOTHER"}`), 0o600))
	refused("are of another device of the bot's (ANOTHER)", backup, "--data", d.DataDir)
	refused("holds something else", backup, "--data", safe, "--secrets", filepath.Join(safe, "secrets"))
	out, err := exec.CommandContext(within(t), d.Binary, "restore", backup, "--data", d.DataDir, "--secrets", filepath.Join(safe, "secrets")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "fraktalia.yaml, packages.yaml, fraktalia.db, homeserver.db") || !strings.Contains(string(out), "synapse/media") || !strings.Contains(string(out), "fraktalia up --data") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	must(t, d.Up(within(t)))
	refused("Fraktalia runs on", backup, "--data", d.DataDir)

	t.Run("the owner's device goes on", func(t *testing.T) {
		if out := say(t, admin, "!users"); !out.OK || !strings.Contains(out.Body, "rosa") || strings.Contains(out.Body, "later") {
			t.Errorf("%v\n%s", out.OK, out.Body)
		}
		if out := say(t, admin, "!packages"); !out.OK || !strings.Contains(out.Body, "figlet") {
			t.Errorf("%v\n%s", out.OK, out.Body)
		}
		hears(t, chat, rosa, "after")
		hears(t, rosa, chat, "welcome back")
	})
	t.Run("a new device of the owner's", func(t *testing.T) {
		second := secondDevice(t, d, recovery)
		defer second.Close()
		room, err := second.Enter(within(t), d.AdminRoom, d.BotUserID)
		must(t, err)
		if out := say(t, room, "!adduser later"); !out.OK { // the name is free again
			t.Error(out.Body)
		}
		friends, err := second.Enter(within(t), d.ChatRoom, d.BotUserID)
		must(t, err)
		reads(t, element, friends, "from another telephone")
	})
	if found, _ := examine(t, d); found["encryption"].Mark != "ok" || found["database"].Mark != "ok" || found["homeserver"].Mark != "ok" {
		t.Errorf("the doctor finds %+v", found)
	}
}

// secondDevice is another device of the owner's, signed with the recovery key.
func secondDevice(t *testing.T, d *harness.Deployment, recovery string) *client.Client {
	t.Helper()
	device, err := d.Owner(within(t))
	must(t, err)
	must(t, device.SignWith(within(t), recovery))
	return device
}

// reads has somebody say something, and Element's own crypto read it.
func reads(t *testing.T, element *jsclient.Client, writer *client.Room, text string) {
	t.Helper()
	said, err := writer.Say(within(t), text)
	must(t, err)
	read, err := element.Read(within(t), string(writer.ID), string(said.ID))
	if err != nil || read.Body != text {
		t.Fatalf("Element reads %q, %v, not %q", read.Body, err, text)
	}
}

// hears has somebody say something in a room, and somebody else read it there.
func hears(t *testing.T, reader, writer *client.Room, text string) {
	t.Helper()
	_, err := writer.Say(within(t), text)
	must(t, err)
	err = reader.Client().Record.Wait(within(t), func() bool {
		for _, e := range reader.Client().Record.Events(reader.ID) {
			if e.Sender == writer.Client().UserID && says(e, text) {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("%s does not read %q: %v (last error of the sync: %v)", reader.Client().UserID, text, err, reader.Client().SyncErr())
	}
}
