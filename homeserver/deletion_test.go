package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/homeserver"
)

// breaking answers deletions of a room as Synapse 1.163.2 does, of which the
// first ones fail.
type breaking struct {
	fails   int  // how many jobs fail
	refuses bool // to begin one
	ended   func()
	begun   int
}

func (b *breaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case r.Method == http.MethodGet && path == "/_synapse/admin/v1/rooms/!shed":
		fmt.Fprint(w, `{"room_id":"!shed","name":"Shed","joined_members":0,"version":"12"}`)
	case r.Method == http.MethodDelete && path == "/_synapse/admin/v2/rooms/!shed" && b.refuses:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errcode":"M_UNKNOWN","error":"Purge already in progress for !shed"}`)
	case r.Method == http.MethodDelete && path == "/_synapse/admin/v2/rooms/!shed":
		b.begun++
		fmt.Fprintf(w, `{"delete_id":"job-%d"}`, b.begun)
	case path == fmt.Sprintf("/_synapse/admin/v2/rooms/delete_status/job-%d", b.begun) && b.begun <= b.fails:
		if b.ended != nil {
			b.ended()
		}
		fmt.Fprint(w, `{"status":"failed","error":"FOREIGN KEY constraint failed","shutdown_room":{"kicked_users":[],"failed_to_kick_users":[],"local_aliases":[],"new_room_id":null}}`)
	case path == fmt.Sprintf("/_synapse/admin/v2/rooms/delete_status/job-%d", b.begun):
		fmt.Fprint(w, `{"status":"complete","shutdown_room":{"kicked_users":["@mox:test"],"failed_to_kick_users":[],"local_aliases":[],"new_room_id":null}}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}`)
	}
}

// delete has the driver delete the room.
func (b *breaking) delete(ctx context.Context, t *testing.T) error {
	t.Helper()
	server := httptest.NewServer(b)
	defer server.Close()
	return homeserver.NewSynapse(homeserver.NewClient(server.URL, nil), "", "token").DeleteRoom(ctx, "!shed")
}

// A deletion that the server breaks off is begun again, three times at most; one
// that it does not begin is not.
func TestBrokenDeletionIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		breaking
		begun int
		want  string // of the error; "" is none
	}{
		"none fails":  {breaking{}, 1, ""},
		"one fails":   {breaking{fails: 1}, 2, ""},
		"two fail":    {breaking{fails: 2}, 3, ""},
		"all fail":    {breaking{fails: 9}, 3, "FOREIGN KEY constraint failed"},
		"none begins": {breaking{refuses: true}, 0, "Purge already in progress"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits between the tries
			err := c.delete(t.Context(), t)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || c.breaking.begun != c.begun {
				t.Errorf("%d begun, not %d; %v, not %q", c.breaking.begun, c.begun, err, c.want)
			}
		})
	}
}

// Nobody waits for the next try who does not wait for its outcome.
func TestBrokenDeletionIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := &breaking{fails: 9, ended: cancel}
	if err := b.delete(ctx, t); !errors.Is(err, context.Canceled) || b.begun != 1 {
		t.Errorf("%d begun: %v", b.begun, err)
	}
}
