package homeserver_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/homeserver"
)

// Where the replies of the Matrix Authentication Service come from: its source
// at 682b8d26d (August 2026).
const (
	masToken   = "RFC 6749, section 4.4.3, and crates/handlers/src/oauth2/token.rs"
	masSpec    = "docs/api/spec.json, the example of that operation's response"
	masErrors  = "docs/topics/admin-api.md, \"Error responses\", and the example in docs/api/spec.json"
	masPerson  = "crates/handlers/src/admin/v1/personal_sessions/add.rs and PersonalSession in docs/api/spec.json"
	synapseOwn = "Synapse 1.163.2, as asked in TestSynapse"
)

const (
	aliceID   = "01040G2081040G2081040G2081"
	botID     = "02081040G2081040G2081040G2"
	masUser   = `{"data":{"type":"user","id":"` + aliceID + `","attributes":{"username":"alice","created_at":"1970-01-01T00:00:00Z","locked_at":null,"deactivated_at":null,"admin":false,"legacy_guest":false},"links":{"self":"/api/admin/v1/users/` + aliceID + `"}},"links":{"self":"/x"}}`
	masBot    = `{"data":{"type":"user","id":"` + botID + `","attributes":{"username":"fraktalia","created_at":"1970-01-01T00:00:00Z","locked_at":null,"deactivated_at":null,"admin":true,"legacy_guest":false}}}`
	masAbsent = `{"errors":[{"title":"User with username \"none\" not found"}]}`
)

// masServer is the service and the Synapse behind it at one address, and a
// driver that has been opened by asking it.
func masServer(t *testing.T, more ...replied) (*contract, homeserver.Driver) {
	t.Helper()
	replies := append([]replied{
		{"GET /_tuwunel/server_version", 404, `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}`, synapseOwn},
		{"GET /_continuwuity/server_version", 404, `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}`, synapseOwn},
		{"GET /_dendrite/monitor/up", 404, `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}`, synapseOwn},
		{"GET /_synapse/admin/v1/server_version", 200, `{"server_version":"1.163.2"}`, synapseOwn},
		{"GET /_matrix/client/v1/auth_metadata", 200, `{"issuer":"https://auth.example/"}`, "Client-Server API 1.15, \"Server metadata discovery\""},
		{"POST /oauth2/token", 200, `{"access_token":"mat_service","token_type":"Bearer","expires_in":300,"scope":"urn:mas:admin"}`, masToken},
		{"GET /api/admin/v1/users/by-username/fraktalia", 200, masBot, masSpec},
		{"GET /api/admin/v1/users/by-username/alice", 200, masUser, masSpec},
		{"GET /api/admin/v1/users/by-username/Alice", 200, masUser, masSpec}, // find_by_username compares in lower case
		{"GET /api/admin/v1/users/by-username/none", 404, masAbsent, masErrors},
		{"POST /api/admin/v1/personal-sessions", 201, `{"data":{"type":"personal-session","id":"03","attributes":{"access_token":"mpt_synapse","actor_user_id":"` + botID + `","scope":"urn:matrix:client:api:* urn:synapse:admin:*"}}}`, masPerson},
		{"GET /_matrix/client/v3/account/whoami", 200, `{"user_id":"@fraktalia:family.example"}`, synapseOwn},
		{"GET /_synapse/admin/v1/rooms?limit=1", 200, `{"rooms":[],"offset":0,"total_rooms":0}`, synapseOwn},
		{"GET /api/admin/v1/users?page[first]=1&count=false", 200, `{"data":[],"links":{"self":"/x"}}`, masSpec},
	}, more...)
	c, address := contracted(t, replies...)
	driver, err := homeserver.Open(t.Context(), homeserver.Options{Client: homeserver.NewClient(address, nil),
		MAS: homeserver.MASOptions{Address: address, Client: "01J44RKQYM4G3TNVANTMTDYTX6", Secret: "client:secret", Bot: "fraktalia"}})
	if err != nil || driver.Kind() != homeserver.KindSynapseMAS {
		t.Fatalf("Open = %v, %v", driver, err)
	}
	return c, driver
}

func TestMASRegisters(t *testing.T) {
	const users, password = "POST /api/admin/v1/users", "POST /api/admin/v1/users/" + aliceID + "/set-password"
	c, driver := masServer(t,
		replied{users, 201, masUser, masSpec},
		replied{password, 204, "", masSpec},
	)
	if err := driver.Prove(t.Context()); err != nil {
		t.Error(err)
	}
	id, err := driver.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: "tavun-mokid", DisplayName: "Alice A"})
	if err != nil || id != "@alice:family.example" {
		t.Fatalf("Register = %q, %v", id, err)
	}
	if body := c.sent(users); body != `{"displayname":"Alice A","username":"alice"}` {
		t.Errorf("sent %s", body)
	}
	if body := c.sent(password); !strings.Contains(body, "tavun-mokid") {
		t.Errorf("sent %s", body)
	}
	if form := c.sent("POST /oauth2/token"); form != "grant_type=client_credentials&scope=urn%3Amas%3Aadmin" || c.times("POST /oauth2/token") != 1 {
		t.Errorf("asked %d times for a token with %s", c.times("POST /oauth2/token"), form)
	}
	if c.times("POST /api/admin/v1/personal-sessions") != 1 || !strings.Contains(c.sent("POST /api/admin/v1/personal-sessions"), `"expires_in":3600`) {
		t.Errorf("a token for Synapse: %s", c.sent("POST /api/admin/v1/personal-sessions"))
	}
	for _, a := range c.asked { // each of the two gets its own token, and Synapse's calls for accounts are never used
		if strings.HasPrefix(a.on, "GET /_synapse/admin/v1/rooms") && a.auth != "Bearer mpt_synapse" || strings.Contains(a.on, "/api/admin/") && a.auth != "Bearer mat_service" {
			t.Errorf("%s with %q", a.on, a.auth)
		}
		if strings.Contains(a.on, "/_synapse/admin/v2/users") || strings.Contains(a.on, "/_synapse/admin/v1/register") {
			t.Errorf("asked Synapse for an account: %s", a.on)
		}
	}
}

// An account whose password cannot be set is closed again.
func TestMASUndoesAHalfMadeAccount(t *testing.T) {
	const closing = "POST /api/admin/v1/users/" + aliceID + "/deactivate"
	c, driver := masServer(t,
		replied{"POST /api/admin/v1/users", 201, masUser, masSpec},
		replied{"POST /api/admin/v1/users/" + aliceID + "/set-password", 403, `{"errors":[{"title":"Password auth is disabled"}]}`, masErrors},
		replied{closing, 200, masUser, masSpec},
	)
	_, err := driver.Register(t.Context(), homeserver.Account{Localpart: "alice", Password: "x"})
	if err == nil || !strings.Contains(err.Error(), "Password auth is disabled") || c.times(closing) != 1 {
		t.Errorf("error %v, closed %d times", err, c.times(closing))
	}
}

func TestMASRefusals(t *testing.T) {
	taken := replied{"POST /api/admin/v1/users", 409, `{"errors":[{"title":"Username is reserved by the homeserver"}]}`, masErrors}
	_, driver := masServer(t, taken)
	if _, err := driver.Register(t.Context(), homeserver.Account{Localpart: "alice"}); !errors.As(err, new(homeserver.ErrUserExists)) {
		t.Errorf("a name that is taken: %v", err)
	}
	for name, err := range map[string]error{
		"lock":       driver.SetLocked(t.Context(), "@none:family.example", true),
		"reset":      driver.ResetPassword(t.Context(), "@none:family.example", "x"),
		"deactivate": driver.Deactivate(t.Context(), "@none:family.example", true),
		// Whoever asks has looked whether that is an owner.
		"deactivate in another spelling": driver.Deactivate(t.Context(), "@Alice:family.example", true),
	} {
		if !errors.As(err, new(homeserver.ErrNotFound)) {
			t.Errorf("%s, of nobody: %v", name, err)
		}
	}
	for _, c := range []struct {
		status int
		want   any
	}{
		{http.StatusUnauthorized, new(homeserver.ErrWrongSecret)}, // RFC 6749, 5.2: invalid_client
		{http.StatusForbidden, new(homeserver.ErrNotAdmin)},       // the client is not among policy.data.admin_clients
	} {
		service, address := contracted(t, replied{"POST /oauth2/token", c.status, `{"error":"x","error_description":"y"}`, masToken})
		mas, err := homeserver.NewMAS(homeserver.NewClient(address, nil), homeserver.MASOptions{Address: address, Client: "x", Secret: "wrong"}, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := mas.Prove(t.Context()); !errors.As(err, c.want) || service.times("POST /oauth2/token") != 1 {
			t.Errorf("%d: %v", c.status, err)
		}
	}
	if _, err := homeserver.NewMAS(homeserver.NewClient("http://x", nil), homeserver.MASOptions{}, ""); !errors.As(err, new(homeserver.ErrNoMAS)) {
		t.Errorf("no service: %v", err)
	}
}

// A token that the service has dropped is got anew.
func TestMASRenewsItsToken(t *testing.T) {
	const users = "GET /api/admin/v1/users?page[first]=1&count=false"
	c, driver := masServer(t)
	c.replies = slices.Insert(c.replies, 0, replied{users, 401, `{"errors":[{"title":"Access token revoked"}]}`, "crates/handlers/src/admin/call_context.rs"})
	if err := driver.Prove(t.Context()); err != nil || c.times("POST /oauth2/token") != 2 {
		t.Errorf("%v after %d tokens", err, c.times("POST /oauth2/token"))
	}
}

func TestMASAccounts(t *testing.T) {
	const locked = `{"data":{"type":"user","id":"` + aliceID + `","attributes":{"username":"alice","created_at":"1970-01-01T00:00:00Z","locked_at":"1970-01-01T00:00:00Z","deactivated_at":null,"admin":false}}}`
	list := "/api/admin/v1/users?page[first]=100"
	next := "/api/admin/v1/users?page[after]=01&page[first]=100"
	sessions := func(kind string) string {
		return "/api/admin/v1/" + kind + "?filter[user]=" + aliceID + "&filter[status]=active&page[first]=100"
	}
	c, driver := masServer(t,
		replied{"POST /api/admin/v1/users/" + aliceID + "/lock", 200, locked, masSpec},
		replied{"POST /api/admin/v1/users/" + aliceID + "/deactivate", 200, masUser, masSpec},
		replied{"POST /api/admin/v1/users/" + aliceID + "/set-password", 204, "", masSpec},
		replied{"GET " + list, 200, `{"meta":{"count":3},"data":[{"type":"user","id":"1","attributes":{"username":"alice","created_at":"2026-01-02T03:04:05Z","locked_at":null,"deactivated_at":null,"admin":false}}],"links":{"next":"` + next + `"}}`, masSpec},
		replied{"GET " + next, 200, `{"data":[{"type":"user","id":"2","attributes":{"username":"bob","created_at":"1970-01-01T00:00:00Z","locked_at":"1970-01-01T00:00:00Z","deactivated_at":null,"admin":true}},
			{"type":"user","id":"3","attributes":{"username":"gone","created_at":"1970-01-01T00:00:00Z","locked_at":null,"deactivated_at":"1970-01-01T00:00:00Z","admin":false}}],"links":{}}`, masSpec},
		replied{"GET " + sessions("compat-sessions"), 200, `{"data":[{"type":"compat-session","id":"c1","attributes":{"user_id":"` + aliceID + `","device_id":"AABBCCDDEE","last_active_at":"2026-01-02T03:04:05Z","last_active_ip":"1.2.3.4","human_name":"Laptop"}}],"links":{}}`, masSpec},
		replied{"GET " + sessions("oauth2-sessions"), 200, `{"data":[{"type":"oauth2-session","id":"o1","attributes":{"scope":"openid urn:matrix:client:api:* urn:matrix:client:device:PHONEPHONE","last_active_at":null}}],"links":{}}`, masSpec},
		replied{"GET " + sessions("user-sessions"), 200, `{"data":[{"type":"user-session","id":"u1","attributes":{}}],"links":{}}`, masSpec},
		replied{"POST /api/admin/v1/compat-sessions/c1/finish", 200, `{}`, masSpec},
		replied{"POST /api/admin/v1/oauth2-sessions/o1/finish", 200, `{}`, masSpec},
		replied{"POST /api/admin/v1/user-sessions/u1/finish", 400, `{"errors":[{"title":"User session is already finished"}]}`, masErrors},
	)
	const alice = "@alice:family.example"
	users, err := driver.Users(t.Context())
	if err != nil || len(users) != 2 || users[0].ID != alice || !users[0].Created.Equal(date("2026-01-02T03:04:05Z")) || !users[1].Locked || !users[1].Admin {
		t.Errorf("Users = %+v, %v", users, err)
	}
	if user, err := driver.User(t.Context(), alice); err != nil || user.ID != alice || user.Locked {
		t.Errorf("User = %+v, %v", user, err)
	}
	devices, err := driver.Devices(t.Context(), alice)
	if err != nil || len(devices) != 2 || devices[0].ID != "AABBCCDDEE" || devices[0].LastIP != "1.2.3.4" || devices[1].ID != "PHONEPHONE" {
		t.Errorf("Devices = %+v, %v", devices, err)
	}
	if n, err := driver.LogoutUser(t.Context(), alice); n != 2 || err != nil {
		t.Errorf("LogoutUser = %d, %v", n, err)
	}
	for name, err := range map[string]error{
		"lock":       driver.SetLocked(t.Context(), alice, true),
		"reset":      driver.ResetPassword(t.Context(), alice, "tavun"),
		"deactivate": driver.Deactivate(t.Context(), alice, false),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if body := c.sent("POST /api/admin/v1/users/" + aliceID + "/deactivate"); body != `{"skip_erase":true}` {
		t.Errorf("deactivate without erasing sent %s", body)
	}
}

func TestMASTokens(t *testing.T) {
	const token = `{"type":"user-registration_token","id":"01","attributes":{"token":"abc123def456","valid":true,"usage_limit":1,"times_used":0,"created_at":"1970-01-01T00:00:00Z","last_used_at":null,"expires_at":"1970-01-31T00:00:00Z","revoked_at":null}}`
	c, driver := masServer(t,
		replied{"POST /api/admin/v1/user-registration-tokens", 201, `{"data":` + token + `}`, masSpec},
		replied{"GET /api/admin/v1/user-registration-tokens?filter[valid]=true&page[first]=100", 200, `{"data":[` + token + `],"links":{}}`, masSpec},
		replied{"GET /api/admin/v1/user-registration-tokens?filter[revoked]=false&page[first]=100", 200, `{"data":[` + token + `],"links":{}}`, masSpec},
		replied{"POST /api/admin/v1/user-registration-tokens/01/revoke", 200, `{"data":` + token + `}`, masSpec},
	)
	expires := date("1970-01-31T00:00:00Z")
	made, err := driver.NewToken(t.Context(), homeserver.Terms{Uses: 1, Expires: expires})
	if err != nil || made.Token != "abc123def456" || made.Terms.Uses != 1 || !made.Terms.Expires.Equal(expires) {
		t.Errorf("NewToken = %+v, %v", made, err)
	}
	if body := c.sent("POST /api/admin/v1/user-registration-tokens"); body != `{"expires_at":"1970-01-31T00:00:00Z","usage_limit":1}` {
		t.Errorf("sent %s", body)
	}
	if list, err := driver.ListTokens(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("ListTokens = %+v, %v", list, err)
	}
	if err := driver.RevokeToken(t.Context(), made.Token); err != nil {
		t.Error(err)
	}
	if err := driver.RevokeToken(t.Context(), "another"); err != nil || c.times("POST /api/admin/v1/user-registration-tokens/01/revoke") != 1 {
		t.Errorf("another token: %v", err)
	}
}
