package homeserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/githabideri/fraktalia/homeserver"
)

// Replies as in TestDetect; Synapse's own is asked in the doctor's e2e test.
func TestVersion(t *testing.T) {
	for _, c := range []struct {
		program, version string // "" where the server does not tell
		replies          map[string]string
	}{
		{"Tuwunel", "1.9.0", map[string]string{"/_tuwunel/server_version": `{"name":"Tuwunel","version":"1.9.0"}`, "/_synapse/admin/v1/server_version": `{"server_version":"1.8.0"}`}},
		{"Continuwuity", "26.8.0-alpha.1", map[string]string{"/_continuwuity/server_version": `{"name":"continuwuity","version":"26.8.0-alpha.1"}`}},
		{"Dendrite", "0.15.2+dev", map[string]string{"/_dendrite/monitor/up": "", "/_matrix/federation/v1/version": `{"server":{"name":"Dendrite","version":"0.15.2+dev"}}`}},
		{"Synapse", "1.163.2", map[string]string{"/_synapse/admin/v1/server_version": `{"server_version":"1.163.2"}`, "/_matrix/client/v1/auth_metadata": `{"issuer":"https://auth.example/"}`}},
		{"", "", map[string]string{"/_dendrite/monitor/up": ""}}, // federation is off
		{"", "", map[string]string{"/_synapse/admin/v1/server_version": `{}`}},
		{"", "", nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, found := c.replies[r.URL.Path]
			if !found {
				http.Error(w, `{"errcode":"M_UNRECOGNIZED","error":"Not Found"}`, http.StatusNotFound)
				return
			}
			_, _ = w.Write([]byte(body))
		}))
		program, version, err := homeserver.NewClient(server.URL, nil).Version(t.Context())
		server.Close()
		if program != c.program || version != c.version || (err == nil) != (c.version != "") {
			t.Errorf("%v: %q %q, %v", c.replies, program, version, err)
		}
	}
}
