// Package dendritetest gives tests a real Dendrite: the pinned release, built
// once from the Go module proxy into the user's cache folder, on a free port
// of this machine, in a folder that goes with the test. It will not pretend:
// where Dendrite cannot be built the test fails and says why. It is imported
// by tests only.
package dendritetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// module is what the tests are written against.
const (
	module  = "github.com/element-hq/dendrite"
	version = "v0.15.2"
)

// SharedSecret makes accounts on it.
const SharedSecret = "only-for-this-test"

// ServerName is the part of its accounts behind the colon.
const ServerName = "dendrite.example"

// Build compiles it where that has not been done and gives the program's path.
// Cold it takes two minutes of two processors; several tests may ask at once.
func Build(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache folder: %w", err)
	}
	dir := filepath.Join(cache, "fraktalia-tests", "dendrite-"+version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "dendrite")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	return program, compile(ctx, dir, program)
}

// compile builds it as a dependency of an empty module: `go install` asks for
// lists of versions, which not every proxy gives.
func compile(ctx context.Context, dir, program string) error {
	text := fmt.Sprintf("module fortests\n\ngo 1.25\n\nrequire %s %s\n", module, version)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program+".new", module+"/cmd/dendrite")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build Dendrite: %w\n%s", err, out[max(0, len(out)-2000):])
	}
	return os.Rename(program+".new", program)
}

// settings is the least that it starts with: SQLite, in memory of the folder,
// no federation, nobody but the shared secret makes accounts.
const settings = `version: 2
global:
  server_name: %[1]s
  private_key: key.pem
  disable_federation: true
  jetstream: {storage_path: ./, topic_prefix: Dendrite}
client_api:
  registration_disabled: true
  registration_shared_secret: %[2]s
  rate_limiting: {enabled: %[3]v, threshold: 5, cooloff_ms: 500}
media_api:
  base_path: ./media
  max_file_size_bytes: 10485760
  database: {connection_string: "file:media.db"}
federation_api: {database: {connection_string: "file:federation.db"}}
key_server: {database: {connection_string: "file:keys.db"}}
mscs: {mscs: [], database: {connection_string: "file:mscs.db"}}
room_server: {database: {connection_string: "file:rooms.db"}}
sync_api: {database: {connection_string: "file:sync.db"}}
relay_api: {database: {connection_string: "file:relay.db"}}
user_api: {bcrypt_cost: 4, account_database: {connection_string: "file:accounts.db"}}
logging: [{type: std, level: warn}]
`

// Start brings one up and stops it when the test ends; limited has it limit
// the rate of requests. It returns its address.
func Start(t testing.TB, limited bool) string {
	t.Helper()
	program, err := Build(t.Context())
	if err != nil {
		t.Fatalf("Dendrite for tests cannot be had: %v", err)
	}
	dir := folder(t)
	text := fmt.Sprintf(settings, ServerName, SharedSecret, limited)
	if err := os.WriteFile(filepath.Join(dir, "dendrite.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	writeKey(t, dir)
	listen := free(t)
	var said bytes.Buffer
	cmd := exec.Command(program, "-config", "dendrite.yaml", "-http-bind-address", listen, "-really-enable-open-registration=false")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("start Dendrite: %v", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	address := "http://" + listen
	await(t, address, ended, &said)
	return address
}

func await(t testing.TB, address string, ended <-chan struct{}, said *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for {
		answer, err := http.Get(address + "/_matrix/client/versions")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ended:
			t.Fatalf("Dendrite ended by itself:\n%s", said)
		case <-ctx.Done():
			t.Fatalf("Dendrite does not get ready: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// writeKey makes the key with which it signs events.
func writeKey(t testing.TB, dir string) {
	t.Helper()
	seed := make([]byte, 32)
	_, _ = rand.Read(seed) // never fails
	block := &pem.Block{Type: "MATRIX PRIVATE KEY", Headers: map[string]string{"Key-ID": "ed25519:test"}, Bytes: seed}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
}

func folder(t testing.TB) string {
	t.Helper()
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "fraktalia-dendrite-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
