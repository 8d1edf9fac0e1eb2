package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheFirstStartSaysWhatIsNeeded(t *testing.T) {
	first := shared.first
	if first.Homeserver == "" || first.Owner.UserID != "@mila:fraktalia.test" || first.BotUserID != "@fraktalia:fraktalia.test" {
		t.Errorf("said %+v", first)
	}
	if first.Owner.Password == nil || len(*first.Owner.Password) < 12 {
		t.Error("the first start gives no usable password")
	}
	if first.AdminRoom == "" || first.ChatRoom == "" || first.AdminRoom == first.ChatRoom {
		t.Errorf("rooms %q and %q", first.AdminRoom, first.ChatRoom)
	}
	if info, err := os.Stat(first.Socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket %s: %v, %v", first.Socket, info, err)
	}
}

func TestASecondStartResumes(t *testing.T) {
	second, first := shared.Ready, shared.first
	second.Owner.Password, first.Owner.Password = nil, nil
	if second != first {
		t.Errorf("the first start said\n%+v\nand the second\n%+v", first, second)
	}
}

func TestTheChatRoomIsForTheOwnerToo(t *testing.T) {
	invite, ok := shared.owner.Invites()[shared.ChatRoom]
	if !ok || !invite.Encrypted || invite.From != shared.BotUserID {
		t.Errorf("invitation %+v, %v", invite, ok)
	}
}

// Everything under the data folder that holds a secret is for its user alone.
func TestTheDataFolderIsClosed(t *testing.T) {
	if info, err := os.Stat(shared.DataDir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v, %v", info.Mode(), err)
	}
	secrets, err := filepath.Glob(filepath.Join(shared.DataDir, "secrets", "*"))
	must(t, err)
	for _, path := range append(secrets, filepath.Join(shared.DataDir, "fraktalia.db"), shared.Config()) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v, %v", path, info.Mode(), err)
		}
	}
}

// The owner has logged in: the password is on no file any more.
func TestTheFirstPasswordGoes(t *testing.T) {
	say(t, shared.admin, "!help") // the bot has seen the owner's join by now
	err := filepath.WalkDir(filepath.Join(shared.DataDir, "secrets"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), shared.Password) {
			t.Errorf("the owner's first password is still in %s", path)
		}
		return err
	})
	must(t, err)
}

func TestStatusMarksEveryPart(t *testing.T) {
	out := say(t, shared.admin, "!status")
	if !out.OK || !strings.Contains(out.HTML, "<table>") {
		t.Errorf("ok=%v\n%s", out.OK, out.HTML)
	}
	body := strings.ToLower(out.Body)
	for _, part := range []string{"homeserver", "docker", "openclaw", "gateway", "forward", "image", "database", "version", "up for"} {
		if !strings.Contains(body, part) {
			t.Errorf("!status says nothing of %s:\n%s", part, out.Body)
		}
	}
	if !strings.Contains(out.Body, "!rebuild-sandbox") {
		t.Errorf("the image is not built, and !status does not say what to do:\n%s", out.Body)
	}
}
