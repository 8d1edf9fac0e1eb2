package homeserver_test

import (
	"testing"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/stack/stacktest"
)

// synapse is a real Synapse with an administrator who is logged in.
type synapse struct {
	*homeserver.Synapse
	server *stacktest.Server
	admin  homeserver.Session
	shared homeserver.Secret
}

func startSynapse(t *testing.T, extra string) *synapse {
	t.Helper()
	server := stacktest.Start(t, extra)
	client := homeserver.NewClient(server.Address, nil)
	shared := homeserver.Secret(server.SharedSecret)
	password := homeserver.NewPassword()
	if _, err := homeserver.NewSynapse(client, shared, "").Register(t.Context(), homeserver.Account{Localpart: "admin", Password: password, Admin: true}); err != nil {
		t.Fatal(err)
	}
	admin, err := client.Login(t.Context(), "admin", password, "test")
	if err != nil {
		t.Fatal(err)
	}
	return &synapse{Synapse: homeserver.NewSynapse(client, shared, admin.Token), server: server, admin: admin, shared: shared}
}

// account makes one and returns its id and password.
func (s *synapse) account(t *testing.T, localpart string) (string, homeserver.Secret) {
	t.Helper()
	password := homeserver.NewPassword()
	id, err := s.Register(t.Context(), homeserver.Account{Localpart: localpart, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return id, password
}
