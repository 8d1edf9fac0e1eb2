package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// cut says a line while the homeserver goes down at a call, brings it up again,
// and returns what the room reads in the end.
func (s *solo) cut(t *testing.T, cutter *harness.Cutter, what, when, line string) client.Outcome {
	t.Helper()
	ctx := within(t)
	before := s.tries()
	cutter.Cut(what, when)
	turn, err := s.admin.Say(ctx, line)
	must(t, err)
	for s.tries() == before { // the bot has something to say, and cannot
		if ctx.Err() != nil {
			t.Fatalf("the bot does not meet the cut at %s\n%s", what, s.LastWords())
		}
		time.Sleep(20 * time.Millisecond)
	}
	cutter.Cut("", "")
	out, err := turn.Final(ctx)
	must(t, err)
	return out
}

// tries is how often the bot could not say what it had to say.
func (s *solo) tries() int {
	said := s.Process.Said()
	return strings.Count(said, "(send a message)") + strings.Count(said, "(hand a file over)")
}

// newCut is a solo whose bot reaches the homeserver through a Cutter.
func newCut(t *testing.T, name string) (*solo, *harness.Cutter) {
	t.Helper()
	s := newSolo(t, name)
	cutter, err := harness.NewCutter(s.Listen())
	must(t, err)
	t.Cleanup(func() { must(t, cutter.Close()) })
	must(t, s.SetConfig("address: http://"+s.Listen(), "address: "+cutter.Address))
	s.start(t)
	return s, cutter
}

// The homeserver goes down at each step of giving access, before or after it
// has done what it was asked: the room hears how it stands, and the same line
// said again does the rest, once. What is sent into the room waits for it.
func TestHomeserverGoesDownWhileAFriendIsAdded(t *testing.T) {
	t.Parallel() // it mostly waits
	s, cutter := newCut(t, "cutadd")
	for i, c := range []struct{ what, when string }{
		{"GET .*/v2/users/", harness.Before}, {"GET .*/v1/register", harness.Before},
		{"POST .*/v1/register", harness.Before}, {"POST .*/v1/register", harness.After},
		{"POST .*/invite", harness.Before}, {"POST .*/invite", harness.After},
	} {
		t.Run(c.what+" "+c.when, func(t *testing.T) { s.addWhileDown(t, cutter, c.what, c.when, fmt.Sprintf("cut%d", i)) })
	}
	for i, c := range []struct{ what, when string }{
		{"POST .*/upload", harness.Before}, {"PUT .*/send/m.room.encrypted", harness.Before}, {"PUT .*/send/m.room.encrypted", harness.After},
	} {
		t.Run(c.what+" "+c.when, func(t *testing.T) {
			out := s.cut(t, cutter, c.what, c.when, fmt.Sprintf("!adduser late%d", i))
			if !out.OK || strings.Count(allWords(out), "Password: ") != 1 {
				t.Errorf("ok=%v\n%s", out.OK, allWords(out))
			}
		})
	}
}

// The same for what takes access back.
func TestHomeserverGoesDownWhileAFriendIsRemoved(t *testing.T) {
	t.Parallel() // it mostly waits
	s, cutter := newCut(t, "cutremove")
	for i, c := range []struct{ what, when string }{
		{"POST .*/kick", harness.Before}, {"POST .*/kick", harness.After},
		{"POST .*/delete_devices", harness.Before}, {"POST .*/delete_devices", harness.After},
		{"POST .*/deactivate", harness.Before}, {"POST .*/deactivate", harness.After},
	} {
		t.Run(c.what+" "+c.when, func(t *testing.T) { s.removeWhileDown(t, cutter, c.what, c.when, fmt.Sprintf("gone%d", i)) })
	}
	if out := say(t, s.admin, "!adduser kept"); !out.OK {
		t.Fatal(out.Body)
	}
	out := s.cut(t, cutter, "POST .*/reset_password", harness.After, "!passwd kept --yes")
	if out.OK || !strings.Contains(out.Body, "cannot tell whether the old password still works") {
		t.Errorf("passwd: ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, s.admin, "!passwd kept"); !out.OK {
		t.Error(out.Body)
	}
	out = s.cut(t, cutter, "PUT .*/v2/users/", harness.Before, "!lock kept")
	if out.OK || !strings.Contains(out.Body, "does not answer") {
		t.Errorf("lock: ok=%v\n%s", out.OK, out.Body)
	}
}

func (s *solo) addWhileDown(t *testing.T, cutter *harness.Cutter, what, when, name string) {
	out := s.cut(t, cutter, what, when, "!adduser "+name)
	if out.OK || !strings.Contains(out.Body, "not answer") || strings.Contains(out.Body, "nternal error") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	out = say(t, s.admin, "!adduser "+name)
	if !out.OK {
		t.Fatalf("said again: %s", out.Body)
	}
	card := readCard(t, out.Body)
	friend, err := s.Person(within(t), card.user, card.password)
	must(t, err)
	defer friend.Close()
	_, err = friend.WaitInvite(within(t), s.ChatRoom)
	must(t, err)
	if n, err := s.CountAccounts(within(t), card.user); err != nil || n != 1 {
		t.Errorf("%d accounts, %v", n, err)
	}
	waitSaid(t, s.admin, name+" has logged in, and is not in Friends yet.") // or the next cut meets this
}

func (s *solo) removeWhileDown(t *testing.T, cutter *harness.Cutter, what, when, name string) {
	card := readCard(t, say(t, s.admin, "!adduser "+name).Body)
	friend, err := s.Person(within(t), card.user, card.password)
	must(t, err)
	defer friend.Close()
	waitSaid(t, s.admin, name+" has logged in, and is not in Friends yet.") // nothing else is to be said
	out := s.cut(t, cutter, what, when, "!removeuser "+name+" --yes")
	if out.OK || !strings.Contains(out.Body, "came to a stop") || !strings.Contains(out.Body, "say it again for the rest") {
		t.Errorf("ok=%v\n%s", out.OK, out.Body)
	}
	if out := say(t, s.admin, "!removeuser "+name+" --yes"); !out.OK || !strings.Contains(out.Body, "closed") {
		t.Errorf("said again: ok=%v\n%s", out.OK, out.Body)
	}
	if _, err := s.Person(within(t), card.user, card.password); err == nil {
		t.Error("they log in")
	}
	if out := say(t, s.admin, "!removeuser "+name); out.OK || !strings.Contains(out.Body, "is removed already") {
		t.Errorf("a third time: ok=%v\n%s", out.OK, out.Body)
	}
}

// allWords are the words of all answers.
func allWords(out client.Outcome) string {
	var all strings.Builder
	for _, r := range out.Replies {
		all.WriteString(r.Body + "\n")
	}
	return all.String()
}
