package command

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
)

// town is a homeserver of a map. "boom" breaks it, nobody can invite "shy", and
// where away is set it answers nothing that begins with it.
type town struct {
	homeserver.Driver // what it does not have is asked of nobody

	mu    sync.Mutex
	users map[string]*homeserver.User
	in    map[string]Membership // by room and user
	away  string
	wait  time.Duration // what it asks to wait before it makes an account
}

func newTown(names ...string) *town {
	t := &town{users: map[string]*homeserver.User{}, in: map[string]Membership{}}
	for _, name := range names {
		t.users["@"+name+":test"] = &homeserver.User{ID: "@" + name + ":test"}
	}
	return t
}

func (t *town) server(context.Context) (homeserver.Driver, error) { return t, nil }

// asked is called at the begin of every call, and takes the lock.
func (t *town) asked(call string) error {
	t.mu.Lock()
	if t.away != "" && strings.HasPrefix(call, t.away) {
		return homeserver.ErrUnreachable{Address: "http://town", Err: errors.New("gone")}
	}
	return nil
}

func (t *town) Register(_ context.Context, account homeserver.Account) (string, error) {
	if account.Localpart == "boom" {
		panic("boom")
	}
	defer t.mu.Unlock()
	if err := t.asked("register"); err != nil {
		return "", err
	}
	if t.wait > 0 {
		return "", homeserver.ErrRateLimited{Action: "register", RetryAfter: t.wait}
	}
	id := "@" + account.Localpart + ":test"
	if t.users[id] != nil {
		return "", homeserver.ErrUserExists{Localpart: account.Localpart}
	}
	t.users[id] = &homeserver.User{ID: id, DisplayName: account.DisplayName, Created: time.Now()}
	return id, nil
}

func (t *town) User(_ context.Context, id string) (homeserver.User, error) {
	defer t.mu.Unlock()
	if err := t.asked("user"); err != nil {
		return homeserver.User{}, err
	}
	if t.users[id] == nil {
		return homeserver.User{}, homeserver.ErrNotFound{Action: "look up", Name: id}
	}
	return *t.users[id], nil
}

func (t *town) Users(context.Context) (list []homeserver.User, err error) {
	defer t.mu.Unlock()
	err = t.asked("users")
	for _, user := range t.users {
		list = append(list, *user)
	}
	return list, err
}

func (t *town) SetLocked(_ context.Context, id string, locked bool) error {
	defer t.mu.Unlock()
	if err := t.asked("lock"); err != nil {
		return err
	}
	t.users[id].Locked = locked
	return nil
}

func (t *town) ResetPassword(context.Context, string, homeserver.Secret) error {
	defer t.mu.Unlock()
	return t.asked("password")
}

func (t *town) Devices(context.Context, string) ([]homeserver.Device, error) { return nil, nil }

func (t *town) Invite(ctx context.Context, room, user string) error {
	defer t.mu.Unlock()
	if err := t.asked("invite"); err != nil {
		return err
	}
	if user == "@shy:test" {
		return errors.New("no room")
	}
	t.in[room+user] = Invited
	return ctx.Err()
}

func (t *town) Kick(_ context.Context, room, user string) error {
	defer t.mu.Unlock()
	delete(t.in, room+user)
	return t.asked("kick")
}

func (t *town) MayInvite(context.Context, string) (bool, error) { return true, nil }
func (t *town) ChatRoomID() string                              { return "!chat:test" }
func (t *town) Address(context.Context) Address {
	return Address{URL: "http://home", Why: "there is no other", CanServe: true}
}
func (t *town) Hosts(context.Context) []string                   { return nil }
func (t *town) Serve(context.Context) (string, error)            { return "https://home", nil }
func (t *town) Unserve(context.Context) error                    { return nil }
func (t *town) IsAdminRoom(room string) bool                     { return room == "!admin:test" }
func (t *town) Places(context.Context) (list []Place, err error) { return nil, nil }

func TestJoiningCardIsConfidedAndNotAnswered(t *testing.T) {
	b := newBench(t)
	text, err := b.do(t, "adduser carol")
	if err != nil || text != "" {
		t.Fatalf("%q %v", text, err)
	}
	if len(b.desk.confided) != 1 {
		t.Fatal("no card")
	}
	card := strings.Split(b.desk.confided[0].Doc.Text(), "\n")
	if card[0] != "Address: http://home" || card[1] != "User: @carol:test" || !strings.HasPrefix(card[2], "Password: ") || len(card[2]) < 30 {
		t.Errorf("card is %q", card)
	}
	if p, ok, _ := b.records.PersonOf(context.Background(), "@carol:test"); !ok || p.AddedBy != "@o:test" {
		t.Errorf("record is %+v %v", p, ok)
	}
	if b.town.in["!chat:test@carol:test"] != Invited {
		t.Error("not invited")
	}
}

// A step that fails takes those before it back; said again it goes on, and the
// account is not made twice.
func TestAddUserIsTakenBackAndGoesOn(t *testing.T) {
	b := newBench(t)
	ctx := context.Background()
	_, err := b.do(t, "adduser shy")
	if err == nil || !strings.Contains(err.Error(), "Taken back: the account. Say !adduser shy again") || len(b.desk.confided) != 0 {
		t.Errorf("%d cards, %v", len(b.desk.confided), err)
	}
	if _, known, _ := b.records.PersonOf(ctx, "@shy:test"); known || !b.town.users["@shy:test"].Locked {
		t.Errorf("recorded %v, %+v", known, b.town.users["@shy:test"])
	}
	for _, away := range []string{"register", "user", "invite"} {
		b.town.away = away
		name := "kim" + away
		if _, err := b.do(t, "adduser "+name); err == nil || !strings.Contains(err.Error(), "not answer") {
			t.Errorf("%s: %v", away, err)
		}
		b.town.away = ""
		if _, err := b.do(t, "adduser "+name); err != nil || b.town.users["@"+name+":test"].Locked || b.town.in["!chat:test@"+name+":test"] != Invited {
			t.Errorf("%s, again: %v %+v", away, err, b.town.users["@"+name+":test"])
		}
	}
	if len(b.desk.confided) != 3 {
		t.Errorf("%d cards", len(b.desk.confided))
	}
	if _, err := b.do(t, "adduser kiminvite"); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a third time: %v", err)
	}
}

// A homeserver that asks to wait has done nothing, and nothing is left behind.
func TestRateLimitIsTold(t *testing.T) {
	b := newBench(t)
	b.town.wait = 90 * time.Second
	if _, err := b.do(t, "adduser lea"); err == nil || !strings.Contains(err.Error(), "asks to wait 1m30s") {
		t.Errorf("%v", err)
	}
	if guests, err := b.records.Guests(context.Background()); err != nil || len(guests) != 0 {
		t.Errorf("%v %+v", err, guests)
	}
	if _, err := b.do(t, "adduser\nlea\nlou"); err == nil || !strings.Contains(err.Error(), "0 of 2 friends have accounts. 2 are missing") {
		t.Errorf("a list: %v", err)
	}
	b.town.wait = 0
	if _, err := b.do(t, "adduser\nlea\nlou"); err != nil {
		t.Errorf("said again: %v", err)
	}
}

// Owners and the bot are spared, whatever is asked.
func TestOwnersAreSpared(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"o", "@o:test", "bot", "@bot:test"} {
		for _, line := range []string{"removeuser", "lock", "logout", "passwd"} {
			if _, err := b.do(t, line+" "+name); err == nil || !strings.Contains(err.Error(), "I do not") {
				t.Errorf("%s %s: %v", line, name, err)
			}
		}
	}
	if b.town.users["@bob:test"].Locked {
		t.Error("somebody else was locked")
	}
}

// Once the account is made, a program that is told to stop still ends what it began.
func TestAddUserOutlastsTheStop(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.commands.Do(ctx, Request{Args: []string{"adduser", "dora"}, Sender: "@o:test", Role: Owner}, b.desk)
	if _, known, _ := b.records.PersonOf(context.Background(), "@dora:test"); err == nil && (!known || len(b.desk.confided) != 1) {
		t.Errorf("stopped: %v, known %v, %d cards", err, known, len(b.desk.confided))
	}
}

func TestPastedList(t *testing.T) {
	b := newBench(t)
	_, err := b.do(t, "adduser\n```\nana Ana A\n- ben\n\n@cem:test, Cem\n```")
	if err != nil || len(b.desk.confided) != 1 || b.town.users["@ana:test"].DisplayName != "Ana A" || b.town.users["@cem:test"].DisplayName != "Cem" {
		t.Errorf("%v %+v", err, b.town.users)
	}
	if text, err := b.do(t, "adduser\nana\nben"); err != nil || !strings.Contains(text, "All 2 have accounts already") {
		t.Errorf("%s %v", text, err)
	}
	for list, want := range map[string]string{
		"adduser\nAna\nbob\nx": "Account names have no capital letters. ana would do.",
		"adduser\nbob":         "exists already, and not by me",
		"adduser\nx\nx":        "is there twice",
		"adduser\n```\n```":    "There is no name in that list",
		"adduser --name X\ny":  "stands behind each",
		"adduser" + strings.Repeat("\nx", 3) + "\n_y": "kept for bridges",
	} {
		_, err := b.do(t, list)
		var problem *Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.Sentence+problem.Detail.Text(), want) {
			t.Errorf("%q: %v", list, err)
		}
	}
}

// Owners and the bot are spared however they are spelled, and every account that
// can be made can be named again.
func TestAccountsAreNamed(t *testing.T) {
	r := &run{Services: Services{Settings: Settings{ServerName: "test", Bot: "@bot:test", Owners: []string{"@boss:test"}}}}
	for _, name := range []string{"@boss:test", "@Boss:test", "@BOT:test"} {
		if r.spared(name, "remove") == nil {
			t.Errorf("%s is not spared", name)
		}
	}
	if err := r.spared("@bossy:test", "remove"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"alice", "film/anna", "a.b_c=d-e+f"} {
		if err := homeserver.ValidLocalpart(name, "test"); err != nil {
			t.Error(err)
		}
		if id, err := r.userID(name); err != nil || id != "@"+name+":test" {
			t.Errorf("%s: %s, %v", name, id, err)
		}
	}
}
