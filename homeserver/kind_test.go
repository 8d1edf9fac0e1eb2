package homeserver_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/homeserver"
)

// Replies as the servers were seen to give them (Continuwuity 26.8.0-alpha.1,
// Tuwunel 1.9.0, Dendrite 0.15.2, each with federation off) or, for Synapse
// with delegated authentication and federated servers, as their documentation
// has them. A real Synapse is asked in TestSynapseAdministration.
func TestDetect(t *testing.T) {
	for _, c := range []struct {
		want    homeserver.Kind
		replies map[string]string // path to body; all else is 404
	}{
		{homeserver.KindTuwunel, map[string]string{
			"/_tuwunel/server_version":          `{"name":"Tuwunel","version":"1.9.0"}`,
			"/_synapse/admin/v1/server_version": `{"server_version":"1.9.0"}`, // the trap
		}},
		{homeserver.KindContinuwuity, map[string]string{"/_continuwuity/server_version": `{"name":"continuwuity","version":"26.8.0-alpha.1"}`}},
		{homeserver.KindDendrite, map[string]string{"/_dendrite/monitor/up": ""}},
		{homeserver.KindSynapse, map[string]string{"/_synapse/admin/v1/server_version": `{"server_version":"1.163.2"}`}},
		{homeserver.KindSynapseMAS, map[string]string{
			"/_synapse/admin/v1/server_version": `{"server_version":"1.163.2"}`,
			"/_matrix/client/v1/auth_metadata":  `{"issuer":"https://auth.example/"}`,
		}},
		{homeserver.KindContinuwuity, map[string]string{"/_matrix/federation/v1/version": `{"server":{"name":"continuwuity"}}`}},
		{homeserver.KindUnknown, map[string]string{"/_matrix/federation/v1/version": `{"server":{"name":"mine"}}`}},
		{homeserver.KindUnknown, nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, found := c.replies[r.URL.Path]
			if !found {
				http.Error(w, `{"errcode":"M_UNRECOGNIZED","error":"M_UNRECOGNIZED: Not Found"}`, http.StatusNotFound)
				return
			}
			_, _ = w.Write([]byte(body))
		}))
		kind, err := homeserver.NewClient(server.URL, nil).Detect(t.Context())
		server.Close()
		if kind != c.want || err != nil {
			t.Errorf("%v: %s, %v, want %s", c.replies, kind, err, c.want)
		}
	}
	if _, err := homeserver.NewClient("http://"+unused(t), nil).Detect(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("a server that is down: %v", err)
	}
}
