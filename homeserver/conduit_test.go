package homeserver_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/homeserver"
)

// Where the replies come from: Continuwuity at 09073235 and Tuwunel at
// 5b366914 (both August 2026). What was also seen on servers that ran is so
// marked.
const (
	cUsers  = "Continuwuity src/admin/user/commands.rs"
	cRooms  = "Continuwuity src/admin/room/commands.rs"
	cErrors = "Continuwuity src/admin/processor.rs, process_command; seen"
	cLock   = "Continuwuity src/api/client/admin/lock.rs"
	cList   = "Continuwuity src/ruminuwuity/admin/continuwuity/rooms/list.rs"
	cClient = "Client-Server API, account management; seen"
	tAdmin  = "Tuwunel docs/development/compliance/synapse-admin.md; seen"
	tUsers  = "Tuwunel src/admin/user; seen"
	tLock   = "Tuwunel src/api/client/admin/lock_user.rs"
)

const alice = "@alice:family.example"

// fenceOpen and fenceEnd stand around lists in an admin room's answers.
const fence = "```"

func continuwuity(t *testing.T, room *adminRoom, replies ...replied) (*contract, *homeserver.Continuwuity) {
	t.Helper()
	c, address := contracted(t, append([]replied{
		{"GET /_continuwuity/admin/rooms/list", 200, `{"rooms":["!a"]}`, cList},
		{"POST /_matrix/client/v3/logout", 200, `{}`, cClient},
	}, replies...)...)
	client := homeserver.NewClient(address, nil)
	if room == nil {
		return c, homeserver.NewContinuwuity(client, "token", nil)
	}
	room.t = t
	return c, homeserver.NewContinuwuity(client, "token", room)
}

// The password that passes the room is the server's own, and is changed before
// anybody is told of the account.
func TestContinuwuityRegisters(t *testing.T) {
	room := &adminRoom{answers: map[string]string{
		"users create -- alice": "Created user " + alice + " with password `k3jhg4k5jhg`", // cUsers, create_user
	}}
	const change = "POST /_matrix/client/v3/account/password"
	c, driver := continuwuity(t, room,
		replied{"POST /_matrix/client/v3/login", 200, `{"user_id":"` + alice + `","device_id":"D","access_token":"hers"}`, cClient},
		replied{change, 200, `{}`, cClient},
	)
	id, err := driver.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: "tavun-mokid-renos"})
	if err != nil || id != alice {
		t.Fatalf("Register = %q, %v", id, err)
	}
	if body := c.sent(change); !strings.Contains(body, `"new_password":"tavun-mokid-renos"`) || !strings.Contains(body, "k3jhg4k5jhg") {
		t.Errorf("the password was changed with %s", body)
	}
	if c.times("POST /_matrix/client/v3/logout") != 1 {
		t.Error("a session is left behind")
	}
	room.noSecret(t, "tavun-mokid-renos")
}

// Where the password cannot be changed, the account is closed again: the room
// knows the one that it has.
func TestContinuwuityUndoesAHalfMadeAccount(t *testing.T) {
	room := &adminRoom{answers: map[string]string{
		"users create -- alice":     "Created user " + alice + " with password `k3jhg4k5jhg`",
		"users deactivate " + alice: "User " + alice + " has been deactivated", // cUsers, deactivate
	}}
	_, driver := continuwuity(t, room,
		replied{"POST /_matrix/client/v3/login", 200, `{"user_id":"` + alice + `","access_token":"hers"}`, cClient},
		replied{"POST /_matrix/client/v3/account/password", 500, `{"errcode":"M_UNKNOWN","error":"Internal server error"}`, cClient},
	)
	if _, err := driver.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: "tavun"}); err == nil {
		t.Error("no error")
	}
	if !slices.Contains(room.said, "users deactivate "+alice) {
		t.Errorf("not closed again: %v", room.said)
	}
}

func TestContinuwuityAccounts(t *testing.T) {
	room := &adminRoom{answers: map[string]string{
		"users create -- taken":                        "Command failed with error:\n" + fence + "\nRequest(\n    UserInUse,\n    \"Username is not available.\",\n    400,\n)\n" + fence, // cErrors; src/service/users/account.rs
		"users create -- odd":                          "| level | span | message |\n| ------: | :-----: | :------- |\n| ERROR | admin | oh |\n\nCommand failed with error:\n" + fence + "\nRequest(\n    InvalidUsername,\n    \"x\",\n    400,\n)\n" + fence,
		"users list":                                   "Found 2 local user account(s):\n" + fence + "\n@conduit:family.example\n" + alice + "\n" + fence,
		"users reset-password -l " + alice:             "Successfully reset the password for user " + alice + ": `hjg34jhg`",
		"users reset-password -l @none:family.example": "Command failed with error:\n" + fence + "\nErr(\n    \"The provided user does not exist.\",\n)\n" + fence,
		"users logout " + alice:                        "User " + alice + " has been logged out from all devices.",
	}}
	c, driver := continuwuity(t, room,
		replied{"POST /_matrix/client/v3/login", 200, `{"user_id":"` + alice + `","access_token":"hers"}`, cClient},
		replied{"POST /_matrix/client/v3/account/password", 200, `{}`, cClient},
		replied{"PUT /_matrix/client/v1/admin/lock/@alice:family.example", 200, `{"locked":true}`, cLock},
		replied{"PUT /_matrix/client/v1/admin/suspend/@alice:family.example", 200, `{"suspended":true}`, cLock},
		replied{"PUT /_matrix/client/v1/admin/lock/@none:family.example", 404, `{"errcode":"M_NOT_FOUND","error":"M_NOT_FOUND: This account does not exist"}`, cLock},
		replied{"GET /_matrix/client/v3/profile/@alice:family.example", 200, `{"displayname":"Alice A"}`, cClient},
	)
	if err := driver.Prove(t.Context()); err != nil {
		t.Error(err)
	}
	_, taken := driver.Register(t.Context(), homeserver.Account{Localpart: "taken"})
	_, odd := driver.Register(t.Context(), homeserver.Account{Localpart: "odd"})
	if !errors.As(taken, new(homeserver.ErrUserExists)) || !errors.As(odd, new(homeserver.ErrInvalidName)) {
		t.Errorf("refusals: %v; %v", taken, odd)
	}
	if users, err := driver.Users(t.Context()); err != nil || len(users) != 2 || users[1].ID != alice {
		t.Errorf("Users = %+v, %v", users, err)
	}
	if user, err := driver.User(t.Context(), alice); err != nil || user.DisplayName != "Alice A" {
		t.Errorf("User = %+v, %v", user, err)
	}
	if err := driver.ResetPassword(t.Context(), alice, "renos-lubaf"); err != nil || !strings.Contains(c.sent("POST /_matrix/client/v3/account/password"), "renos-lubaf") {
		t.Errorf("ResetPassword: %v", err)
	}
	if n, err := driver.LogoutUser(t.Context(), alice); n != -1 || err != nil {
		t.Errorf("LogoutUser = %d, %v", n, err)
	}
	if err := errors.Join(driver.SetLocked(t.Context(), alice, true), driver.SetSuspended(t.Context(), alice, true)); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"reset": driver.ResetPassword(t.Context(), "@none:family.example", "x"),
		"lock":  driver.SetLocked(t.Context(), "@none:family.example", true),
	} {
		if !errors.As(err, new(homeserver.ErrNotFound)) {
			t.Errorf("%s of nobody: %v", name, err)
		}
	}
	room.noSecret(t, "renos-lubaf")
}

func TestContinuwuityRooms(t *testing.T) {
	room := &adminRoom{answers: map[string]string{ // cRooms, list_rooms
		"rooms list 1": "Rooms (2):\n" + fence + "\n!abc\tMembers: 3\tName: Film club\n!def\tMembers: 1\tName: !def\n" + fence,
		"rooms list 2": "Command failed with error:\n" + fence + "\nErr(\n    \"No more rooms.\",\n)\n" + fence,
	}}
	_, driver := continuwuity(t, room)
	rooms, err := driver.ListRooms(t.Context())
	if err != nil || len(rooms) != 2 || rooms[0].Name != "Film club" || rooms[0].Members != 3 || rooms[1].Name != "" {
		t.Errorf("ListRooms = %+v, %v", rooms, err)
	}
	var no homeserver.ErrUnsupported
	if _, err := driver.NewToken(t.Context(), homeserver.Terms{Uses: 1}); !errors.As(err, &no) || !strings.Contains(no.Error(), "not encrypted") {
		t.Errorf("a token: %v", err)
	}
	_, alone := continuwuity(t, nil)
	if _, err := alone.Register(t.Context(), homeserver.Account{Localpart: "alice"}); !errors.As(err, &no) || !strings.Contains(no.Error(), "admin room, in which I am not") {
		t.Errorf("without the room: %v", err)
	}
	if slices.Contains(alone.Can(), homeserver.CanRegister) {
		t.Error("claims to register without the room")
	}
}

func TestTuwunel(t *testing.T) {
	const users = "PUT /_synapse/admin/v2/users/@alice:family.example"
	room := &adminRoom{t: t, answers: map[string]string{"users deactivate " + alice: "User " + alice + " has been deactivated"}} // tUsers
	found := replied{"GET /_synapse/admin/v2/users/@alice:family.example", 200, `{"name":"` + alice + `","admin":false,"deactivated":false,"creation_ts":0}`, tAdmin}
	c, address := contracted(t,
		replied{"GET /_tuwunel/server_version", 200, `{"name":"Tuwunel","version":"1.9.0"}`, "seen"},
		replied{"GET /_matrix/client/v3/account/whoami", 200, `{"user_id":"@fraktalia:family.example"}`, cClient},
		replied{found.on, 404, `{"errcode":"M_NOT_FOUND","error":"M_NOT_FOUND: User not found"}`, tAdmin},
		found,
		replied{users, 200, `{"name":"` + alice + `"}`, tAdmin},
		replied{"PUT /_matrix/client/v1/admin/lock/@alice:family.example", 200, `{"locked":true}`, tLock},
		replied{"PUT /_matrix/client/v1/admin/suspend/@alice:family.example", 403, `{"errcode":"M_FORBIDDEN","error":"M_FORBIDDEN: Only server administrators can use this endpoint"}`, tLock},
	)
	driver, err := homeserver.Open(t.Context(), homeserver.Options{Client: homeserver.NewClient(address, nil), Token: "token", AdminRoom: room})
	if err != nil || driver.Kind() != homeserver.KindTuwunel {
		t.Fatalf("Open = %v, %v", driver, err)
	}
	if id, err := driver.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: "tavun"}); err != nil || id != alice {
		t.Errorf("Register = %q, %v", id, err)
	}
	if body := c.sent(users); strings.Contains(body, "admin") { // it would answer 500, and have made the account
		t.Errorf("sent %s", body)
	}
	if _, err := driver.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: "other"}); !errors.As(err, new(homeserver.ErrUserExists)) || c.times(users) != 1 {
		t.Errorf("again: %v", err)
	}
	if err := driver.SetLocked(t.Context(), alice, true); err != nil {
		t.Error(err)
	}
	if err := driver.SetSuspended(t.Context(), alice, true); !errors.As(err, new(homeserver.ErrNotAdmin)) {
		t.Errorf("not an administrator: %v", err)
	}
	if err := driver.Deactivate(t.Context(), alice, false); err != nil || !slices.Contains(room.said, "users deactivate "+alice) {
		t.Errorf("Deactivate: %v, said %v", err, room.said)
	}
	room.noSecret(t, "tavun", "other")
}
