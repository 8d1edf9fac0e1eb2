package app

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/config"
)

// own writes the configuration that init makes for a homeserver of somebody's.
func own(t *testing.T) (data, file string) {
	t.Helper()
	data = t.TempDir()
	file = filepath.Join(data, "fraktalia.yaml")
	c := config.Default()
	c.Homeserver = config.Homeserver{Address: "http://127.0.0.1:8008", ServerName: "family.example"}
	c.Bot = config.Bot{UserID: "@fraktalia:family.example", PasswordFile: "secrets/bot-password"}
	c.Owners = []string{"@mila:family.example"}
	must(t, config.Write(file, c))
	return data, file
}

// The folder that init has made for somebody's homeserver is not taken for one of
// up's: an empty homeserver of the same name would come in place of theirs.
func TestUpLeavesAHomeserverElsewhereAlone(t *testing.T) {
	data, file := own(t)
	before, err := os.ReadFile(file)
	must(t, err)
	// The port is one that up would not listen at if it went on after all.
	for _, more := range [][]string{nil, {"--listen", "127.0.0.1:nine"}, {"--server-name", "other.example", "--owner", "otto"}, {"--with-openclaw"}} {
		var said bytes.Buffer
		status := Main(t.Context(), "test", append([]string{"up", "--yes", "--data", data}, more...), strings.NewReader(""), &said, &said)
		if status != 1 || !strings.Contains(said.String(), "runs elsewhere (http://127.0.0.1:8008)") || !strings.Contains(said.String(), "fraktalia run --config "+file+".") {
			t.Errorf("%q: status %d\n%s", more, status, &said)
		}
	}
	after, err := os.ReadFile(file)
	left, _ := os.ReadDir(data)
	if err != nil || !bytes.Equal(before, after) || len(left) != 1 {
		t.Errorf("%v: %v is there\n%s", err, left, after)
	}
}

// A folder in which a homeserver has answered is up's, as is one that such a
// homeserver's database was put back into; of what is left of a start that never
// came up it is not known.
func TestWhoseHomeserverItIs(t *testing.T) {
	for mark, ours := range map[string]bool{"": false, "server-name": false, "homeserver.db": true, "listen": true} {
		data, file := own(t)
		if mark != "" {
			must(t, os.MkdirAll(filepath.Join(data, "synapse"), 0o700))
			must(t, os.WriteFile(filepath.Join(data, "synapse", mark), []byte("x"), 0o600))
		}
		known, err := config.Load(file)
		must(t, err)
		if err := new(upOptions).takeUp(known); (err == nil) != ours {
			t.Errorf("up, with %q: %v", mark, err)
		}
		i, err := newInstallation(file, "daemon", true)
		if must(t, err); slices.Contains(strings.Fields(i.Command), "up") != ours {
			t.Errorf("install, with %q: %s", mark, i.Command)
		}
	}
}
