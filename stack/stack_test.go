package stack_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/procnet"
	"github.com/githabideri/fraktalia/stack"
	"github.com/githabideri/fraktalia/stack/stacktest"
)

// recorder keeps what a stack tells.
type recorder struct {
	mutex     sync.Mutex
	events    []stack.Event
	crashes   []stack.Crash
	recovered chan stack.Recovered
}

func (r *recorder) options(data, listen string) stack.Options {
	r.recovered = make(chan stack.Recovered, 8)
	return stack.Options{
		Data: data, Listen: listen, ServerName: "test.example", Log: stacktest.Quiet(),
		Progress:    func(e stack.Event) { r.mutex.Lock(); defer r.mutex.Unlock(); r.events = append(r.events, e) },
		OnCrash:     func(c stack.Crash) { r.mutex.Lock(); defer r.mutex.Unlock(); r.crashes = append(r.crashes, c) },
		OnRecovered: func(v stack.Recovered) { r.recovered <- v },
	}
}

// steps are the steps told of, each once.
func (r *recorder) steps() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var names []string
	for _, e := range r.events {
		if e.Percent == 100 {
			names = append(names, string(e.Step))
		}
	}
	return strings.Join(names, " ")
}

// up brings a stack up under the data folder.
func up(t *testing.T, data string) (*stack.Stack, *recorder) {
	t.Helper()
	r := &recorder{}
	s := stack.New(r.options(data, "127.0.0.1:0"))
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, r
}

func answers(address string) bool {
	response, err := http.Get(address + "/_matrix/client/versions")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// synapse is the process behind a stack's address.
func synapse(t *testing.T, s *stack.Stack) int {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.Address(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	number, _ := strconv.Atoi(port)
	holder, found := procnet.Holder(number)
	if !found || !holder.Known() {
		t.Fatalf("nobody listens on %d", number)
	}
	return holder.PID
}

func TestUpTwice(t *testing.T) {
	data := stacktest.Folder(t)
	stacktest.Link(t, data)
	s, r := up(t, data)
	if !answers(s.Address()) {
		t.Error("no answer at the first start")
	}
	if got := r.steps(); got != "config start" {
		t.Errorf("steps %q", got)
	}
	secret, key := read(t, s.SecretFile()), read(t, filepath.Join(data, "secrets/synapse-signing-key"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if answers(s.Address()) {
		t.Error("still answers after Close")
	}

	again := stack.New(stack.Options{Data: data, Listen: "127.0.0.1:0", Log: stacktest.Quiet()})
	if err := again.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !answers(again.Address()) || again.ServerName() != "test.example" {
		t.Errorf("second start: server %q", again.ServerName())
	}
	if secret != read(t, again.SecretFile()) || key != read(t, filepath.Join(data, "secrets/synapse-signing-key")) {
		t.Error("secrets have changed")
	}
	closedToOthers(t, data)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// closedToOthers checks what we made: folders 0700, secrets and
// configuration 0600.
func closedToOthers(t *testing.T, data string) {
	t.Helper()
	for path, want := range map[string]os.FileMode{
		".": 0o700, "secrets": 0o700, "synapse": 0o700, "logs": 0o700,
		"secrets/synapse-registration": 0o600, "secrets/synapse-signing-key": 0o600, "secrets/synapse-macaroon": 0o600,
		"secrets/synapse-form": 0o600, "synapse/homeserver.yaml": 0o600, "lock": 0o600,
	} {
		info, err := os.Stat(filepath.Join(data, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info.Mode(), err, want)
		}
	}
}

func TestPrivateServer(t *testing.T) {
	server := stacktest.Start(t, "")
	for path, want := range map[string]int{
		"/_matrix/federation/v1/version":    http.StatusNotFound,
		"/_matrix/key/v2/server":            http.StatusNotFound,
		"/.well-known/matrix/client":        http.StatusNotFound,
		"/_matrix/client/v3/publicRooms":    http.StatusUnauthorized,
		"/_matrix/client/v3/profile/@a:b":   http.StatusUnauthorized,
		"/_synapse/admin/v1/server_version": http.StatusOK,
	} {
		response, err := http.Get(server.Address + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, response.StatusCode, want)
		}
	}
	onlyWithToken(t, server)
}

// onlyWithToken checks that an account takes a token, and that nobody learns
// which names are taken.
func onlyWithToken(t *testing.T, server *stacktest.Server) {
	t.Helper()
	response, err := http.Post(server.Address+"/_matrix/client/v3/register", "application/json", strings.NewReader(`{"username":"x","password":"long enough"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Flows []struct{ Stages []string } }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusUnauthorized || len(answer.Flows) == 0 {
		t.Fatalf("registering without a token: %d %+v %v", response.StatusCode, answer, err)
	}
	for _, flow := range answer.Flows {
		if !slices.Contains(flow.Stages, "m.login.registration_token") {
			t.Errorf("an account can be made with %v", flow.Stages)
		}
	}
	accounts := homeserver.NewSynapse(homeserver.NewClient(server.Address, nil), homeserver.Secret(server.SharedSecret), "")
	if _, err := accounts.Register(t.Context(), homeserver.Account{Localpart: "ada", Password: "long enough"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ada", "nobody"} {
		available, err := http.Get(server.Address + "/_matrix/client/v3/register/available?username=" + name)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(available.Body)
		available.Body.Close()
		if string(body) != `{"available":true}` {
			t.Errorf("%s: %s", name, body)
		}
	}
}

func TestCrashIsRepaired(t *testing.T) {
	data := stacktest.Folder(t)
	stacktest.Link(t, data)
	s, r := up(t, data)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for range 2 {
		if err := syscall.Kill(synapse(t, s), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {
		case <-r.recovered:
		case <-time.After(2 * time.Minute):
			t.Fatal("was not restarted")
		}
		if !answers(s.Address()) {
			t.Error("told as recovered, but does not answer")
		}
	}
	r.mutex.Lock()
	if len(r.crashes) != 2 || r.crashes[0].Exit.Signal != syscall.SIGKILL || r.crashes[1].Attempt != 2 || r.crashes[1].Restart <= r.crashes[0].Restart {
		t.Errorf("crashes %+v", r.crashes)
	}
	r.mutex.Unlock()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if answers(s.Address()) {
		t.Error("answers after Run has returned")
	}
}

// A Synapse that does not react to SIGTERM is stopped all the same.
func TestStopIsBounded(t *testing.T) {
	data := stacktest.Folder(t)
	stacktest.Link(t, data)
	s, _ := up(t, data)
	pid := synapse(t, s)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
}

func TestPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	data := stacktest.Folder(t)
	stacktest.Link(t, data)
	s := stack.New(new(recorder).options(data, listener.Addr().String()))
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var inUse stack.ErrPortInUse
	err = s.Start(t.Context())
	if !errors.As(err, &inUse) || inUse.Port != listener.Addr().(*net.TCPAddr).Port || inUse.Holder.PID != os.Getpid() {
		t.Errorf("error %#v, want this process as the holder", err)
	}
}

func TestBadConfigurationIsTold(t *testing.T) {
	data := stacktest.Folder(t)
	stacktest.Link(t, data)
	if err := os.WriteFile(filepath.Join(data, "synapse/homeserver.local.yaml"), []byte("max_upload_size: lots\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := stack.New(new(recorder).options(data, "127.0.0.1:0"))
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var exited stack.ErrExited
	err := s.Start(t.Context())
	if !errors.As(err, &exited) || exited.Code == 0 || len(exited.Tail) == 0 || exited.Log == "" {
		t.Errorf("error %#v, want status, tail and log", err)
	}
}

func TestDataFolderIsOfOne(t *testing.T) {
	data := stacktest.Folder(t)
	stacktest.Link(t, data)
	first := stack.New(new(recorder).options(data, "127.0.0.1:0"))
	if err := first.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second := stack.New(new(recorder).options(data, "127.0.0.1:0"))
	want := stack.ErrLocked{Dir: data, PID: os.Getpid()}
	if err := second.Prepare(t.Context()); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Prepare(t.Context()); err != nil {
		t.Errorf("after Close: %v", err)
	}
	_ = second.Close()
	other := stack.New(stack.Options{Data: data, Listen: "127.0.0.1:0", ServerName: "other.example", Log: stacktest.Quiet()})
	fixed := stack.ErrServerNameFixed{Dir: data, Have: "test.example", Want: "other.example"}
	if err := other.Prepare(t.Context()); !errors.Is(err, fixed) {
		t.Errorf("error %v, want %v", err, fixed)
	}
}

func TestForeignFolderIsRefused(t *testing.T) {
	data := stacktest.Folder(t)
	if err := errors.Join(os.WriteFile(filepath.Join(data, "thesis.tex"), nil, 0o644), os.Mkdir(filepath.Join(data, "logs"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	err := stack.New(new(recorder).options(data, "127.0.0.1:0")).Prepare(t.Context())
	if want := (stack.ErrDataFolder{Dir: data, Found: "thesis.tex"}); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the folder was changed: %v, %v", info.Mode(), err)
	}
}

// A Synapse of the data folder that was started by somebody else is stopped
// before ours starts, and nothing else is.
func TestOrphanIsStopped(t *testing.T) {
	data := stacktest.Folder(t)
	stacktest.Link(t, data)
	s := stack.New(new(recorder).options(data, "127.0.0.1:0"))
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	config := filepath.Join(data, "synapse/homeserver.yaml")
	orphan := exec.Command(filepath.Join(data, "synapse/venv/bin/python"), "-I", "-m", "synapse.app.homeserver", "-c", config)
	reader := exec.Command("tail", "-f", config)
	for _, cmd := range []*exec.Cmd{orphan, reader} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	orphaned := make(chan error, 1)
	go func() { orphaned <- orphan.Wait() }()
	for !answers(s.Address()) {
		time.Sleep(20 * time.Millisecond)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-orphaned
	if got := synapse(t, s); got == orphan.Process.Pid {
		t.Error("the orphan still serves")
	}
	if err := reader.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("a reader of the file was stopped, too: %v", err)
	}
	_ = reader.Process.Kill()
	_ = reader.Wait()
}

// The test runs itself as a program with a stack, kills that and looks for
// what it left.
func TestKillLeavesNothing(t *testing.T) {
	if data := os.Getenv("STACK_TEST_DATA"); data != "" {
		s, _ := up(t, data)
		if err := os.WriteFile(filepath.Join(data, "logs/ready"), []byte(strconv.Itoa(synapse(t, s))), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = s.Run(t.Context())
		return
	}
	data := stacktest.Folder(t)
	stacktest.Link(t, data)
	program := exec.Command(os.Args[0], "-test.run=^TestKillLeavesNothing$")
	program.Env = append(os.Environ(), "STACK_TEST_DATA="+data)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	for pid == 0 {
		text, _ := os.ReadFile(filepath.Join(data, "logs/ready"))
		pid, _ = strconv.Atoi(string(text))
		time.Sleep(20 * time.Millisecond)
	}
	_ = program.Process.Kill()
	_ = program.Wait()
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(pid, 0) == nil && !zombie(pid); {
		if time.Now().After(deadline) {
			t.Fatalf("synapse %d has outlived the program", pid)
		}
		time.Sleep(20 * time.Millisecond)
	}
	s, _ := up(t, data)
	if !answers(s.Address()) {
		t.Error("no answer after a kill")
	}
}

// zombie says whether the process has ended and only waits to be collected by
// pid 1, which not every container has.
func zombie(pid int) bool {
	line, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, state, _ := strings.Cut(string(line), ") ")
	return strings.HasPrefix(state, "Z")
}
