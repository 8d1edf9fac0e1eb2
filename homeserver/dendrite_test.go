package homeserver_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/homeserver/dendritetest"
)

// The real Dendrite does what the driver says it can, and no more.
func TestDendrite(t *testing.T) {
	client := homeserver.NewClient(dendritetest.Start(t, false), nil)
	const shared = homeserver.Secret(dendritetest.SharedSecret)
	password := homeserver.NewPassword()
	if _, err := homeserver.NewDendrite(client, shared, "").Register(t.Context(), homeserver.Account{Localpart: "admin", Password: password, Admin: true}); err != nil {
		t.Fatal(err)
	}
	admin, err := client.Login(t.Context(), "admin", password, "test")
	if err != nil {
		t.Fatal(err)
	}
	driver, err := homeserver.Open(t.Context(), homeserver.Options{Client: client, Shared: shared, Token: admin.Token})
	if err != nil || driver.Kind() != homeserver.KindDendrite {
		t.Fatalf("Open = %v, %v", driver, err)
	}
	d := &synapse{Synapse: homeserver.NewSynapse(client, "", ""), admin: admin} // for its requests as a person
	t.Run("administrator", func(t *testing.T) { dendriteAdmin(t, client, driver) })
	t.Run("accounts", func(t *testing.T) { dendriteAccounts(t, client, driver) })
	t.Run("rooms", func(t *testing.T) { dendriteRooms(t, client, driver, d) })
	t.Run("what it cannot do", func(t *testing.T) { cannot(t, driver) })
}

func dendriteAdmin(t *testing.T, client *homeserver.Client, driver homeserver.Driver) {
	if err := driver.Prove(t.Context()); err != nil {
		t.Error(err)
	}
	password := homeserver.NewPassword()
	if _, err := driver.Register(t.Context(), homeserver.Account{Localpart: "nobody", Password: password}); err != nil {
		t.Fatal(err)
	}
	session, err := client.Login(t.Context(), "nobody", password, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := homeserver.NewDendrite(client, "", session.Token).Prove(t.Context()); !errors.As(err, new(homeserver.ErrNotAdmin)) {
		t.Errorf("somebody else: %v", err)
	}
	if err := homeserver.NewDendrite(client, "", "wrong").Prove(t.Context()); !errors.As(err, new(homeserver.ErrTokenRefused)) {
		t.Errorf("a wrong token: %v", err)
	}
	_, err = homeserver.NewDendrite(client, "wrong", "").Register(t.Context(), homeserver.Account{Localpart: "never", Password: password})
	if !errors.As(err, new(homeserver.ErrWrongSecret)) {
		t.Errorf("a wrong secret: %v", err)
	}
}

func dendriteAccounts(t *testing.T, client *homeserver.Client, driver homeserver.Driver) {
	first := homeserver.NewPassword()
	id, err := driver.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: first, DisplayName: "Alice A"})
	if err != nil || id != "@alice:"+dendritetest.ServerName {
		t.Fatalf("Register = %q, %v", id, err)
	}
	if devices, err := driver.Devices(t.Context(), id); err != nil || len(devices) != 0 {
		t.Errorf("logged in by nobody: %+v, %v", devices, err)
	}
	if user, err := driver.User(t.Context(), id); err != nil || user.DisplayName != "Alice A" {
		t.Errorf("User = %+v, %v", user, err)
	}
	if _, err := driver.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: homeserver.NewPassword()}); !errors.As(err, new(homeserver.ErrUserExists)) {
		t.Errorf("again: %v", err)
	}
	session, err := client.Login(t.Context(), "alice", first, "her phone")
	if err != nil {
		t.Fatal(err)
	}
	if devices, err := driver.Devices(t.Context(), id); err != nil || len(devices) != 1 || devices[0].ID != session.DeviceID || time.Since(devices[0].LastSeen) > time.Hour {
		t.Errorf("Devices = %+v, %v", devices, err)
	}
	second := homeserver.NewPassword()
	if err := driver.ResetPassword(t.Context(), id, second); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Whoami(t.Context(), session.Token); !errors.As(err, new(homeserver.ErrTokenRefused)) {
		t.Errorf("the old session: %v", err)
	}
	if _, err := client.Login(t.Context(), "alice", second, ""); err != nil {
		t.Error(err)
	}
	const nobody = "@none:" + dendritetest.ServerName
	if err := driver.ResetPassword(t.Context(), nobody, second); !errors.As(err, new(homeserver.ErrNotFound)) {
		t.Errorf("an account that is not there: %v", err)
	}
	if _, err := driver.User(t.Context(), nobody); !errors.As(err, new(homeserver.ErrNotFound)) {
		t.Errorf("an account that is not there: %v", err)
	}
}

func dendriteRooms(t *testing.T, _ *homeserver.Client, driver homeserver.Driver, as *synapse) {
	room := as.room(t, as.admin, "Kitchen")
	as.say(t, as.admin, room, "hello")
	if err := driver.DeleteRoom(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	var joined struct {
		Rooms []string `json:"joined_rooms"`
	}
	if status := as.as(t, as.admin, http.MethodGet, "/_matrix/client/v3/joined_rooms", nil, &joined); status != http.StatusOK || slices.Contains(joined.Rooms, room) {
		t.Errorf("still in the room: %d, %v", status, joined.Rooms)
	}
	if err := driver.DeleteRoom(t.Context(), "!none:"+dendritetest.ServerName); !errors.As(err, new(homeserver.ErrNotFound)) {
		t.Errorf("a room that is not there: %v", err)
	}
}

// cannot holds a driver to its word: every ability that it does not claim is an
// ErrUnsupported of its own kind, and every one that it claims is none.
func cannot(t *testing.T, driver homeserver.Driver) {
	t.Helper()
	ctx := t.Context()
	const nobody, nowhere = "@none:elsewhere.example", "!none:elsewhere.example"
	_, users := driver.Users(ctx)
	_, token := driver.NewToken(ctx, homeserver.Terms{Uses: 1})
	_, rooms := driver.ListRooms(ctx)
	_, logout := driver.LogoutUser(ctx, nobody)
	_, media := driver.UserMedia(ctx, nobody)
	for ability, err := range map[homeserver.Ability]error{
		homeserver.CanListUsers:     users,
		homeserver.CanResetPassword: driver.ResetPassword(ctx, nobody, "x"),
		homeserver.CanLock:          driver.SetLocked(ctx, nobody, true),
		homeserver.CanSuspend:       driver.SetSuspended(ctx, nobody, true),
		homeserver.CanDeactivate:    driver.Deactivate(ctx, nobody, false),
		homeserver.CanLogout:        logout,
		homeserver.CanTokens:        token,
		homeserver.CanListRooms:     rooms,
		homeserver.CanPurgeHistory:  driver.PurgeHistory(ctx, nowhere, time.Now()),
		homeserver.CanDeleteRoom:    driver.DeleteRoom(ctx, nowhere),
		homeserver.CanMedia:         media,
	} {
		var no homeserver.ErrUnsupported
		unsupported := errors.As(err, &no)
		if claims := slices.Contains(driver.Can(), ability); claims == unsupported {
			t.Errorf("%s: claims it: %v, but %v", ability, claims, err)
		}
		if unsupported && (no.Ability != ability || no.Kind != driver.Kind()) {
			t.Errorf("%s: %v", ability, err)
		}
	}
}

// A real limit: Dendrite tells how long to wait in the body only, and the call
// waits it out.
func TestDendriteLimitsAreWaitedOut(t *testing.T) {
	client := homeserver.NewClient(dendritetest.Start(t, true), nil)
	driver := homeserver.NewDendrite(client, dendritetest.SharedSecret, "")
	for i := range 12 {
		account := homeserver.Account{Localpart: fmt.Sprint("friend", i), Password: homeserver.NewPassword()}
		if _, err := driver.Register(t.Context(), account); err != nil {
			t.Fatalf("account %d: %v", i, err)
		}
		if _, err := client.Login(t.Context(), account.Localpart, account.Password, ""); err != nil {
			t.Fatalf("log-in %d: %v", i, err)
		}
	}
}
