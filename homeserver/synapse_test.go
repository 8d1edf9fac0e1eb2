package homeserver_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/stack/stacktest"
)

// One server serves all: starting it is what takes the time.
func TestSynapse(t *testing.T) {
	s := startSynapse(t, "")
	t.Run("register and log in", func(t *testing.T) { registerAndLogIn(t, s) })
	t.Run("an account that exists is not touched", func(t *testing.T) { existing(t, s) })
	t.Run("refusals", func(t *testing.T) { refusals(t, s) })
	t.Run("devices", func(t *testing.T) { devices(t, s) })
	t.Run("not an administrator", func(t *testing.T) { notAdmin(t, s) })
	t.Run("unlimited", func(t *testing.T) { unlimited(t, s) })
	t.Run("opened", func(t *testing.T) { opened(t, s) })
	t.Run("without the shared secret", func(t *testing.T) { withoutShared(t, s) })
}

func opened(t *testing.T, s *synapse) {
	driver, err := homeserver.Open(t.Context(), homeserver.Options{Client: s.Client, Token: s.admin.Token})
	if err != nil || driver.Kind() != homeserver.KindSynapse || !slices.Equal(driver.Can(), homeserver.Abilities()) {
		t.Fatalf("Open = %v, %v", driver, err)
	}
	if err := driver.Prove(t.Context()); err != nil {
		t.Error(err)
	}
	bad := homeserver.NewSynapse(s.Client, "", "no token of anybody")
	if err := bad.Prove(t.Context()); !errors.As(err, new(homeserver.ErrTokenRefused)) {
		t.Errorf("a wrong token: %v", err)
	}
}

// withoutShared: an administrator's token makes accounts, too, and touches none
// that is there.
func withoutShared(t *testing.T, s *synapse) {
	by := homeserver.NewSynapse(s.Client, "", s.admin.Token)
	password := homeserver.NewPassword()
	id, err := by.Register(t.Context(), homeserver.Account{Localpart: "tilda", Password: password, DisplayName: "Tilda"})
	if err != nil || id != "@tilda:test.example" {
		t.Fatalf("Register = %q, %v", id, err)
	}
	if _, err := by.Register(t.Context(), homeserver.Account{Localpart: "tilda", Password: homeserver.NewPassword()}); !errors.As(err, new(homeserver.ErrUserExists)) {
		t.Errorf("again: %v", err)
	}
	if _, err := s.Login(t.Context(), "tilda", password, ""); err != nil {
		t.Errorf("the password has changed: %v", err)
	}
}

func registerAndLogIn(t *testing.T, s *synapse) {
	password := homeserver.NewPassword()
	id, err := s.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: password, DisplayName: "Alice A"})
	if err != nil || id != "@alice:test.example" {
		t.Fatalf("Register = %q, %v", id, err)
	}
	session, err := s.Login(t.Context(), "alice", password, "her phone")
	if err != nil || session.UserID != id || session.DeviceID == "" || session.Token == "" {
		t.Fatalf("Login = %+v, %v", session, err)
	}
	again, err := s.Whoami(t.Context(), session.Token)
	if err != nil || again != session {
		t.Errorf("Whoami = %+v, %v, want %+v", again, err, session)
	}
	if err := s.Logout(t.Context(), session.Token); err != nil {
		t.Error(err)
	}
	if _, err := s.Whoami(t.Context(), session.Token); !errors.As(err, new(homeserver.ErrTokenRefused)) {
		t.Errorf("after logging out: %v", err)
	}
	if err := s.Logout(t.Context(), session.Token); err != nil {
		t.Errorf("logging out twice: %v", err)
	}
}

func existing(t *testing.T, s *synapse) {
	id, password := s.account(t, "bob")
	session, err := s.Login(t.Context(), "bob", password, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Register(t.Context(), homeserver.Account{Localpart: "bob", Password: homeserver.NewPassword(), Admin: true})
	if want := (homeserver.ErrUserExists{Localpart: "bob"}); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
	if _, err := s.Whoami(t.Context(), session.Token); err != nil {
		t.Errorf("the session is gone: %v", err)
	}
	if _, err := s.Login(t.Context(), id, password, ""); err != nil {
		t.Errorf("the password has changed: %v", err)
	}
}

func refusals(t *testing.T, s *synapse) {
	account := homeserver.Account{Localpart: "carol", Password: homeserver.NewPassword()}
	with := func(shared homeserver.Secret) error {
		_, err := homeserver.NewSynapse(s.Client, shared, "").Register(t.Context(), account)
		return err
	}
	down := homeserver.NewClient("http://"+unused(t), nil)
	_, unreachable := down.Whoami(t.Context(), "x")
	_, wrongPassword := s.Login(t.Context(), "admin", "wrong", "")
	_, wrongToken := s.Whoami(t.Context(), "wrong")
	_, upper := s.Register(t.Context(), homeserver.Account{Localpart: "Dave"})
	_, reserved := s.Register(t.Context(), homeserver.Account{Localpart: "4711"})
	_, absent := s.Devices(t.Context(), "@nobody:test.example")
	for name, c := range map[string]struct{ got, want error }{
		"wrong secret":   {with("wrong"), homeserver.ErrWrongSecret{}},
		"wrong password": {wrongPassword, homeserver.ErrWrongPassword{}},
		"wrong token":    {wrongToken, homeserver.ErrTokenRefused{}},
		"server down":    {unreachable, homeserver.ErrUnreachable{}},
		"capital letter": {upper, homeserver.ErrInvalidName{}},
		"digits alone":   {reserved, homeserver.ErrInvalidName{}},
		"no such user":   {absent, homeserver.ErrNotFound{}},
	} {
		if reflect.TypeOf(c.got) != reflect.TypeOf(c.want) {
			t.Errorf("%s: %T %v, want a %T", name, c.got, c.got, c.want)
		}
	}
	if found, err := s.Exists(t.Context(), "@carol:test.example"); found || err != nil {
		t.Errorf("carol exists: %v, %v", found, err)
	}
}

func devices(t *testing.T, s *synapse) {
	id, password := s.account(t, "erin")
	if found, err := s.Devices(t.Context(), id); err != nil || len(found) != 0 {
		t.Errorf("a fresh account has devices: %+v, %v", found, err)
	}
	session, err := s.Login(t.Context(), "erin", password, "tablet")
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Devices(t.Context(), id)
	if err != nil || len(found) != 1 || found[0].ID != session.DeviceID || found[0].Name != "tablet" {
		t.Errorf("Devices = %+v, %v", found, err)
	}
	if found, err := s.Exists(t.Context(), id); !found || err != nil {
		t.Errorf("Exists = %v, %v", found, err)
	}
}

func notAdmin(t *testing.T, s *synapse) {
	id, password := s.account(t, "frank")
	session, err := s.Login(t.Context(), "frank", password, "")
	if err != nil {
		t.Fatal(err)
	}
	err = homeserver.NewSynapse(s.Client, "", session.Token).Unlimit(t.Context(), id)
	if !errors.As(err, new(homeserver.ErrNotAdmin)) {
		t.Errorf("error %v, want ErrNotAdmin", err)
	}
}

func unlimited(t *testing.T, s *synapse) {
	if err := s.Unlimit(t.Context(), s.admin.UserID); err != nil {
		t.Error(err)
	}
}

// A server with narrow limits: what can be waited for is, what cannot is said
// with the time that the server asks for.
func TestSynapseRateLimit(t *testing.T) {
	s := startSynapse(t, "rc_login:\n  address: {per_second: 0.2, burst_count: 1}\n")
	password := homeserver.NewPassword()
	if _, err := s.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: password}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Login(t.Context(), "alice", password, ""); err != nil {
			t.Fatalf("a limit of five seconds was not waited out: %v", err)
		}
	}
	// Synapse lets a refused log-in wait for half a second before it says so.
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	var limited homeserver.ErrRateLimited
	if _, err := s.Login(ctx, "alice", password, ""); !errors.As(err, &limited) {
		t.Fatalf("error %v, want ErrRateLimited", err)
	}
	if limited.RetryAfter <= 0 || limited.RetryAfter > 5*time.Second {
		t.Errorf("retry after %s", limited.RetryAfter)
	}
}

func TestSynapseWithoutSharedSecret(t *testing.T) {
	server := stacktest.Start(t, "registration_shared_secret_path: null\n")
	s := homeserver.NewSynapse(homeserver.NewClient(server.Address, nil), "secret", "")
	_, err := s.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: "x"})
	if !errors.As(err, new(homeserver.ErrNoSharedSecret)) {
		t.Errorf("error %v, want ErrNoSharedSecret", err)
	}
}

func TestReadyGivesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := homeserver.NewClient("http://"+unused(t), http.DefaultTransport).Ready(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, new(homeserver.ErrUnreachable)) {
		t.Errorf("error %v, want the deadline and why", err)
	}
}

// unused is an address where nothing listens.
func unused(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
