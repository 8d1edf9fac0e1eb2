package command

import (
	"context"
	"strings"
	"testing"
)

// village is a town with one room.
type village struct{ *town }

func (v village) Places(context.Context) ([]Place, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	members := map[string]Membership{}
	for key, membership := range v.in {
		if user, here := strings.CutPrefix(key, "!one:test"); here {
			members[user] = membership
		}
	}
	return []Place{{ID: "!one:test", Name: "Family room", Members: members}}, nil
}

// lists is a configuration in which bob is on the room's own list, if on any.
func lists(users string) string {
	return strings.Replace(clawText, "groups: {", "groupAllowFrom: ['@a:test'], dm: { policy: 'allowlist', allowFrom: ['@a:test'] }, // whom it hears\n    groups: { '!one:test': { users: ["+users+"] },", 1)
}

func newVillage(t *testing.T, text string) (*bench, *claw) {
	t.Helper()
	b, c := newClaw(t)
	c.rooms["!one:test"] = "!one:test"
	c.write(t, text)
	b.commands.services.People = village{b.town}
	return b, c
}

// What takes an invitation or a removal back leaves nobody on a list on which
// they were not, and takes nobody off one on which they were.
func TestUndoOfInviteAndKickPutsTheListsBack(t *testing.T) {
	for _, c := range []struct {
		line, users string
		was         Membership
		now         Membership // after the undo
		changes     bool
	}{
		{"invite bob Family room", "'@a:test'", "", "", true},
		{"invite bob Family room", "'@a:test', '@bob:test'", "", "", true},
		{"invite bob Family room --room-only", "'@bob:test'", "", "", false},
		{"kick bob Family room", "'@a:test', '@bob:test'", Joined, Invited, true},
		{"kick bob Family room", "'@a:test'", Joined, Invited, false},
		{"kick bob Family room --room-only", "'@bob:test'", Joined, Invited, false},
	} {
		b, house := newVillage(t, lists(c.users))
		if c.was != "" {
			b.town.in["!one:test@bob:test"] = c.was
		}
		b.journaled(t, c.line)
		if is := house.text(t); (is != lists(c.users)) != c.changes {
			t.Errorf("%s made\n%s", c.line, is)
		}
		if b.town.in["!one:test@bob:test"] == c.was {
			t.Errorf("%s did nothing", c.line)
		}
		text, err := b.do(t, "undo")
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		if is := house.text(t); is != lists(c.users) || b.town.in["!one:test@bob:test"] != c.now {
			t.Errorf("the undo of %s left bob %q and\n%s\n%s", c.line, b.town.in["!one:test@bob:test"], is, text)
		}
	}
}

// Who has declined meanwhile is taken off the lists all the same; where the file
// has changed, nothing is taken back.
func TestUndoOfInviteLater(t *testing.T) {
	b, house := newVillage(t, lists(""))
	b.journaled(t, "invite bob Family room")
	delete(b.town.in, "!one:test@bob:test")
	if text, err := b.do(t, "undo"); err != nil || house.text(t) != lists("") || !strings.Contains(text, "any more") {
		t.Errorf("%s %v\n%s", text, err, house.text(t))
	}
	b.journaled(t, "invite bob Family room")
	changed := house.text(t) + "// by hand\n"
	house.write(t, changed)
	if _, err := b.do(t, "undo"); err == nil || house.text(t) != changed || b.town.in["!one:test@bob:test"] != Invited {
		t.Errorf("%v, bob is %q, and the file\n%s", err, b.town.in["!one:test@bob:test"], house.text(t))
	}
}
