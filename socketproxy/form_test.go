package socketproxy_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
	"github.com/githabideri/fraktalia/socketproxy"
)

// nowhere is a base that no registry has: pulling it ends at once.
const nowhere = "127.0.0.1:1/none"

// form is a body that says of what kind it is.
type form struct{ kind, text string }

// An engine takes the fields of a form before the parameters that were judged:
// it would fetch what it is told to, and put it under a name of somebody's.
func TestFormsSayNothing(t *testing.T) {
	d := newDoor(t)
	foreign := d.name + "-foreign"
	t.Cleanup(func() {
		exec.Command("docker", "rmi", "-f", foreign+":16", d.name+"-made:latest", d.name+":live-candidate").Run()
	})
	var asked sync.Map
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path, true)
		io.WriteString(w, "FROM scratch\nLABEL io.fraktalia.test=form\n")
	}))
	defer home.Close()
	padding := strings.Repeat("x", 64<<10) // an engine has read some of a build's body before it looks for fields
	for path, fields := range map[string]url.Values{
		"/v1.41/images/create?fromSrc=-&repo=" + d.name + "-made&tag=latest": {"fromSrc": {home.URL + "/import"}, "repo": {foreign}, "tag": {"16"}, "changes": {"LABEL io.fraktalia.test=form"}},
		"/v1.41/build?version=1&rm=1&t=" + d.name + ":live-candidate":        {"remote": {home.URL + "/build"}, "networkmode": {"host"}, "t": {foreign + ":16"}},
	} {
		padded := "pad=" + padding + "&" + fields.Encode()
		for _, body := range []form{
			{"application/x-www-form-urlencoded", fields.Encode()}, {"application/x-www-form-urlencoded", padded},
			{"Application/X-WWW-Form-Urlencoded; charset=utf-8", padded},
			{"multipart/form-data; boundary=b", multipart("", fields)}, {"multipart/form-data; boundary=b", multipart(padding, fields)},
		} {
			said := d.ask(t, http.MethodPost, path, body)
			asked.Range(func(address, _ any) bool {
				t.Errorf("%s as %s: the engine has fetched %v", path, body.kind, address)
				return true
			})
			if image := sandboxtest.Docker(t, "images", "-q", foreign); image != "" || strings.Contains(said.body, foreign) {
				t.Errorf("%s as %s: %+v, and %q has a name that was not judged", path, body.kind, said, image)
				sandboxtest.Docker(t, "rmi", "-f", foreign+":16")
			}
			asked.Clear()
		}
	}
}

// What is really sent along is taken, whatever it is called: a real import.
func TestImportsAreTaken(t *testing.T) {
	d := newDoor(t)
	name := d.name + "-made"
	t.Cleanup(func() { exec.Command("docker", "rmi", "-f", name+":latest").Run() })
	var files bytes.Buffer
	archive := tar.NewWriter(&files)
	check(t, archive.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: 5}))
	_, err := io.WriteString(archive, "hello")
	check(t, errors.Join(err, archive.Close()))
	for _, kind := range []string{"text/plain", "application/x-tar", "application/x-www-form-urlencoded"} {
		answer := d.ask(t, http.MethodPost, "/v1.41/images/create?fromSrc=-&repo="+name+"&tag=latest", form{kind, files.String()})
		if answer.status != http.StatusOK || sandboxtest.Docker(t, "images", "-q", name) == "" {
			t.Errorf("as %s: %+v", kind, answer)
		}
		sandboxtest.Docker(t, "rmi", "-f", name+":latest")
	}
}

// multipart is a form with something before its first part.
func multipart(before string, fields url.Values) string {
	var out strings.Builder
	out.WriteString(before)
	for name := range fields {
		fmt.Fprintf(&out, "\r\n--b\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s", name, fields.Get(name))
	}
	return out.String() + "\r\n--b--\r\n"
}

// tap stands between proxy and engine, and notes of what kind each body is said
// to be that the engine gets.
type tap struct {
	mu    sync.Mutex
	kinds map[string][]string // by method and path
}

func newTap(t *testing.T) (*tap, string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "tap")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	listener, err := net.Listen("unix", filepath.Join(folder, "sock"))
	check(t, err)
	seen := &tap{kinds: map[string][]string{}}
	server := &http.Server{Handler: seen.before(engineSocket())}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return seen, listener.Addr().String()
}

func (s *tap) before(engine string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker"
			s.mu.Lock()
			defer s.mu.Unlock()
			at := r.In.Method + " " + r.In.URL.Path
			s.kinds[at] = append(s.kinds[at], strings.Join(r.In.Header.Values("Content-Type"), ","))
		},
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", engine)
		}},
	}
}

func (s *tap) got(path string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kinds[path]
}

// Whatever a client says of a body, the engine hears what we say of it, at all
// that is on the list.
func TestBodiesAreWhatTheProxySays(t *testing.T) {
	d := newDoor(t)
	var seen *tap
	seen, d.engine = newTap(t)
	d.open(t) // another, before the tap
	t.Cleanup(func() { exec.Command("docker", "rmi", "-f", d.name+":live", d.name+"-made:latest").Run() })
	as := func(text string) form { return form{"application/x-www-form-urlencoded", text} }
	made := d.ask(t, http.MethodPost, "/v1.41/containers/create", as(fmt.Sprintf(`{"Image":%q,"Labels":{"io.fraktalia.image":"probe"}}`, d.image))).id(t)
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", made).Run() })
	command := d.ask(t, http.MethodPost, "/v1.41/containers/"+d.sandbox+"/exec", as(`{"Cmd":["/none"],"AttachStdout":true}`)).id(t)
	d.beginAs(t, command, "application/x-www-form-urlencoded")
	for _, path := range []string{
		"/containers/" + made + "/start", "/images/" + d.image + "/tag?repo=" + d.name + "&tag=live", "/images/create?fromImage=" + nowhere + "&tag=latest",
	} {
		d.ask(t, http.MethodPost, "/v1.41"+path, as(""))
	}
	for _, path := range []string{"/images/create?fromSrc=-&repo=" + d.name + "-made&tag=latest", "/build?version=1&t=" + d.name + ":live-candidate"} {
		d.ask(t, http.MethodPost, "/v1.41"+path, as("x=y"))
	}
	want := map[string]string{
		"POST /containers/create": "application/json", "POST /containers/" + made + "/start": "", "POST /containers/" + d.sandbox + "/exec": "application/json",
		"POST /exec/" + command + "/start": "application/json", "POST /images/" + d.image + "/tag": "", "POST /images/create": ",application/x-tar", "POST /build": "application/x-tar",
	}
	for at, kinds := range want {
		method, path, _ := strings.Cut(at, " ")
		if got := strings.Join(seen.got(method+" /v1.41"+path), ","); got != kinds || seen.got(method+" /v1.41"+path) == nil {
			t.Errorf("%s came to the engine as %q, not as %q", at, got, kinds)
		}
	}
	posts := 0
	for _, e := range socketproxy.Endpoints() {
		if e.Method == http.MethodPost {
			posts++
		}
	}
	if posts != len(want)+1 { // images/create is two of them
		t.Errorf("%d endpoints take a POST, and %d are tried here", posts, len(want)+1)
	}
}

// beginAs begins a command with a body that is said to be of a kind.
func (d *door) beginAs(t *testing.T, command, kind string) {
	t.Helper()
	conn, err := net.Dial("unix", d.socket)
	check(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /v1.41/exec/%s/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: %s\r\nContent-Length: 2\r\n\r\n{}", command, kind)
	check(t, err)
	_, err = bufio.NewReader(conn).ReadString('\n')
	check(t, err)
}
