package homeserver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
)

// One server serves all: starting it is what takes the time.
func TestSynapseAdministration(t *testing.T) {
	s := startSynapse(t, "enable_registration: true\nregistration_requires_token: true\n")
	t.Run("which kind", func(t *testing.T) {
		if kind, err := s.Detect(t.Context()); kind != homeserver.KindSynapse || err != nil {
			t.Errorf("Detect = %s, %v", kind, err)
		}
	})
	t.Run("lock", func(t *testing.T) { lock(t, s) })
	t.Run("suspend", func(t *testing.T) { suspend(t, s) })
	t.Run("reset password", func(t *testing.T) { resetPassword(t, s) })
	t.Run("log out", func(t *testing.T) { logOut(t, s) })
	t.Run("deactivate", func(t *testing.T) { deactivate(t, s) })
	t.Run("users", func(t *testing.T) { users(t, s) })
	t.Run("absent", func(t *testing.T) { absent(t, s) })
	t.Run("tokens", func(t *testing.T) { tokens(t, s) })
	t.Run("rooms", func(t *testing.T) { rooms(t, s) })
	t.Run("media", func(t *testing.T) { media(t, s) })
}

// member makes an account and logs it in.
func (s *synapse) member(t *testing.T, localpart string) homeserver.Session {
	t.Helper()
	_, password := s.account(t, localpart)
	session, err := s.Login(t.Context(), localpart, password, "")
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// as sends a client's request and decodes the answer; it returns the status.
func (s *synapse) as(t *testing.T, who homeserver.Session, method, path string, body, out any) int {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.Address()+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if who.Token != "" {
		request.Header.Set("Authorization", "Bearer "+who.Token.Reveal())
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if out != nil {
		if err := json.NewDecoder(response.Body).Decode(out); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode
}

func (s *synapse) room(t *testing.T, who homeserver.Session, name string) string {
	t.Helper()
	var made struct {
		ID string `json:"room_id"`
	}
	if status := s.as(t, who, "POST", "/_matrix/client/v3/createRoom", map[string]any{"name": name}, &made); status != http.StatusOK {
		t.Fatalf("make room: status %d", status)
	}
	return made.ID
}

func (s *synapse) say(t *testing.T, who homeserver.Session, room, text string) string {
	t.Helper()
	var sent struct {
		ID string `json:"event_id"`
	}
	path := fmt.Sprintf("/_matrix/client/v3/rooms/%s/send/m.room.message/%s", url.PathEscape(room), url.PathEscape(text))
	if status := s.as(t, who, "PUT", path, map[string]string{"msgtype": "m.text", "body": text}, &sent); status != http.StatusOK {
		t.Fatalf("say: status %d", status)
	}
	return sent.ID
}

func lock(t *testing.T, s *synapse) {
	member := s.member(t, "lock")
	if err := s.SetLocked(t.Context(), member.UserID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Whoami(t.Context(), member.Token); !errors.As(err, new(homeserver.ErrAccount)) {
		t.Errorf("locked: %v", err)
	}
	if user, err := s.User(t.Context(), member.UserID); err != nil || !user.Locked {
		t.Errorf("User = %+v, %v", user, err)
	}
	if err := s.SetLocked(t.Context(), member.UserID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Whoami(t.Context(), member.Token); err != nil {
		t.Errorf("unlocked: %v", err)
	}
}

func suspend(t *testing.T, s *synapse) {
	member := s.member(t, "suspend")
	room := s.room(t, member, "r")
	if err := s.SetSuspended(t.Context(), member.UserID, true); err != nil {
		t.Fatal(err)
	}
	path := "/_matrix/client/v3/rooms/" + url.PathEscape(room) + "/send/m.room.message/1"
	if status := s.as(t, member, "PUT", path, map[string]string{"msgtype": "m.text", "body": "x"}, nil); status != http.StatusForbidden {
		t.Errorf("a suspended account may write: %d", status)
	}
	if user, err := s.User(t.Context(), member.UserID); err != nil || !user.Suspended {
		t.Errorf("User = %+v, %v", user, err)
	}
	if err := s.SetSuspended(t.Context(), member.UserID, false); err != nil {
		t.Fatal(err)
	}
	s.say(t, member, room, "again")
}

func resetPassword(t *testing.T, s *synapse) {
	member := s.member(t, "reset")
	fresh := homeserver.NewPassword()
	if err := s.ResetPassword(t.Context(), member.UserID, fresh); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Whoami(t.Context(), member.Token); !errors.As(err, new(homeserver.ErrTokenRefused)) {
		t.Errorf("the old session: %v", err)
	}
	if _, err := s.Login(t.Context(), "reset", fresh, ""); err != nil {
		t.Error(err)
	}
}

func logOut(t *testing.T, s *synapse) {
	member := s.member(t, "logout")
	if n, err := s.LogoutUser(t.Context(), member.UserID); n != 1 || err != nil {
		t.Errorf("LogoutUser = %d, %v", n, err)
	}
	if _, err := s.Whoami(t.Context(), member.Token); !errors.As(err, new(homeserver.ErrTokenRefused)) {
		t.Errorf("the session: %v", err)
	}
	if n, err := s.LogoutUser(t.Context(), member.UserID); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}

func deactivate(t *testing.T, s *synapse) {
	member := s.member(t, "gone")
	room := s.room(t, member, "left behind")
	if err := s.Deactivate(t.Context(), member.UserID, true); err != nil {
		t.Fatal(err)
	}
	if user, err := s.User(t.Context(), member.UserID); err != nil || !user.Deactivated {
		t.Errorf("User = %+v, %v", user, err)
	}
	if _, err := s.Login(t.Context(), "gone", "whatever", ""); err == nil {
		t.Error("may log in")
	}
	_, err := s.Register(t.Context(), homeserver.Account{Localpart: "gone", Password: "x"})
	if !errors.As(err, new(homeserver.ErrUserExists)) {
		t.Errorf("the name can be taken again: %v", err)
	}
	if found, err := s.Room(t.Context(), room); err == nil && found.Members != 0 {
		t.Errorf("still in a room: %+v", found)
	}
}

func users(t *testing.T, s *synapse) {
	all, err := s.Users(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]homeserver.User{}
	for _, user := range all {
		by[user.ID] = user
	}
	admin := by["@admin:test.example"]
	if !admin.Admin || admin.DisplayName != "admin" || time.Since(admin.Created) > time.Hour {
		t.Errorf("admin: %+v", admin)
	}
	if _, found := by["@gone:test.example"]; found {
		t.Error("lists a deactivated account")
	}
	one, err := s.User(t.Context(), admin.ID)
	if err != nil || one.Created.Sub(admin.Created).Abs() > 2*time.Second {
		t.Errorf("one %v, of the list %v, %v", one.Created, admin.Created, err)
	}
}

// absent: no call makes what it does not find.
func absent(t *testing.T, s *synapse) {
	const nobody, nowhere = "@nobody:test.example", "!nowhere:test.example"
	ctx := t.Context()
	_, devices := s.LogoutUser(ctx, nobody)
	_, uploads := s.UserMedia(ctx, nobody)
	for name, err := range map[string]error{
		"lock":        s.SetLocked(ctx, nobody, true),
		"suspend":     s.SetSuspended(ctx, nobody, true),
		"reset":       s.ResetPassword(ctx, nobody, homeserver.NewPassword()),
		"deactivate":  s.Deactivate(ctx, nobody, false),
		"log out":     devices,
		"uploads":     uploads,
		"purge":       s.PurgeHistory(ctx, nowhere, time.Now()),
		"delete room": s.DeleteRoom(ctx, nowhere),
		"medium":      s.DeleteMedia(ctx, "mxc://test.example/none"),
		"no medium":   s.DeleteMedia(ctx, "https://test.example/none"),
	} {
		if !errors.As(err, new(homeserver.ErrNotFound)) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	if found, err := s.Exists(ctx, nobody); found || err != nil {
		t.Errorf("somebody was made: %v, %v", found, err)
	}
}

func tokens(t *testing.T, s *synapse) {
	expires := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	made, err := s.NewToken(t.Context(), homeserver.Terms{Uses: 1, Expires: expires})
	if err != nil || made.Token == "" || made.Terms.Uses != 1 || !made.Terms.Expires.Equal(expires) {
		t.Fatalf("NewToken = %+v, %v", made, err)
	}
	listed, err := s.ListTokens(t.Context())
	if err != nil || !slices.ContainsFunc(listed, func(l homeserver.Token) bool { return l.Token == made.Token }) {
		t.Errorf("ListTokens = %+v, %v", listed, err)
	}
	if status := s.registerWith(t, made.Token, "guest"); status != http.StatusOK {
		t.Errorf("registering with the token: %d", status)
	}
	if status := s.registerWith(t, made.Token, "second"); status != http.StatusUnauthorized {
		t.Errorf("registering with a used token: %d", status)
	}
	other, err := s.NewToken(t.Context(), homeserver.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.RevokeToken(t.Context(), other.Token); err != nil {
			t.Error(err)
		}
	}
	if status := s.registerWith(t, other.Token, "third"); status != http.StatusUnauthorized {
		t.Errorf("registering with a revoked token: %d", status)
	}
}

// registerWith does what a friend's client does with a token.
func (s *synapse) registerWith(t *testing.T, token homeserver.Secret, name string) int {
	t.Helper()
	var flow struct{ Session string }
	body := map[string]any{"username": name, "password": homeserver.NewPassword().Reveal()}
	s.as(t, homeserver.Session{}, "POST", "/_matrix/client/v3/register", body, &flow)
	body["auth"] = map[string]string{"type": "m.login.registration_token", "token": token.Reveal(), "session": flow.Session}
	s.as(t, homeserver.Session{}, "POST", "/_matrix/client/v3/register", body, nil)
	body["auth"] = map[string]string{"type": "m.login.dummy", "session": flow.Session}
	return s.as(t, homeserver.Session{}, "POST", "/_matrix/client/v3/register", body, nil)
}

func rooms(t *testing.T, s *synapse) {
	member := s.member(t, "roomy")
	id := s.room(t, member, "Kitchen")
	var events []string
	for i := range 5 {
		events = append(events, s.say(t, member, id, fmt.Sprint("line ", i)))
	}
	listed, err := s.ListRooms(t.Context())
	if err != nil || !slices.ContainsFunc(listed, func(r homeserver.Room) bool { return r.ID == id && r.Name == "Kitchen" }) {
		t.Errorf("ListRooms = %+v, %v", listed, err)
	}
	room, err := s.Room(t.Context(), id)
	if err != nil || room.Members != 1 || room.Version == "" || room.Creator != member.UserID || !room.Encrypted {
		t.Errorf("Room = %+v, %v", room, err)
	}
	if err := s.PurgeHistory(t.Context(), id, time.Now()); err != nil {
		t.Fatal(err)
	}
	for i, event := range events[:4] { // the newest stays: the room's graph hangs on it
		path := "/_matrix/client/v3/rooms/" + url.PathEscape(id) + "/event/" + url.PathEscape(event)
		if status := s.as(t, member, "GET", path, nil, nil); status != http.StatusNotFound {
			t.Errorf("line %d is still there: %d", i, status)
		}
	}
	if err := s.PurgeHistory(t.Context(), id, time.Unix(1, 0)); err != nil {
		t.Errorf("nothing to purge: %v", err)
	}
	if err := s.DeleteRoom(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Room(t.Context(), id); !errors.As(err, new(homeserver.ErrNotFound)) {
		t.Errorf("the room is still there: %v", err)
	}
}

func media(t *testing.T, s *synapse) {
	member := s.member(t, "media")
	room := s.room(t, member, "Pictures")
	var upload struct {
		URI string `json:"content_uri"`
	}
	if status := s.as(t, member, "POST", "/_matrix/media/v3/upload?filename=a.txt", "bytes", &upload); status != http.StatusOK {
		t.Fatalf("upload: %d", status)
	}
	path := fmt.Sprintf("/_matrix/client/v3/rooms/%s/send/m.room.message/1", url.PathEscape(room))
	if status := s.as(t, member, "PUT", path, map[string]string{"msgtype": "m.file", "body": "a", "url": upload.URI}, nil); status != http.StatusOK {
		t.Fatalf("send: %d", status)
	}
	of, err := s.UserMedia(t.Context(), member.UserID)
	if err != nil || len(of) != 1 || of[0].MXC != upload.URI || of[0].Name != "a.txt" || of[0].Size != 7 {
		t.Errorf("UserMedia = %+v, %v", of, err)
	}
	in, err := s.RoomMedia(t.Context(), room)
	if err != nil || len(in) != 1 || !strings.HasSuffix(upload.URI, strings.TrimPrefix(in[0], "mxc://")) {
		t.Errorf("RoomMedia = %v, %v, want %s", in, err, upload.URI)
	}
	if err := s.DeleteMedia(t.Context(), upload.URI); err != nil {
		t.Fatal(err)
	}
	if of, err := s.UserMedia(t.Context(), member.UserID); err != nil || len(of) != 0 {
		t.Errorf("after deleting: %+v, %v", of, err)
	}
}
