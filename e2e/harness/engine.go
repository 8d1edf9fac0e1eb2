package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/docker/client"
)

// runLabel marks the containers of one test run.
const runLabel = "io.fraktalia.e2e"

// Engine stands between the program and the real Docker engine: everything is
// passed on, but lists of containers and images show those of this test run
// only, so that tests meet neither each other's sandboxes nor a real agent's,
// and remove nobody's images. It can be
// taken away and brought back, which is how an engine's failure looks.
type Engine struct {
	Socket string // of this proxy

	run    string
	real   *client.Client
	proxy  *httputil.ReverseProxy
	server *http.Server
}

// OpenEngine connects to the engine that DOCKER_HOST names, else the usual one.
func OpenEngine(ctx context.Context, dir, run string) (*Engine, error) {
	real, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("docker engine: %w", err)
	}
	if _, err := real.Ping(ctx); err != nil {
		return nil, fmt.Errorf("the tests need a Docker engine, and none answers: %w", err)
	}
	e := &Engine{Socket: filepath.Join(dir, "docker.sock"), run: run, real: real}
	e.proxy = &httputil.ReverseProxy{
		Rewrite:       e.rewrite,
		FlushInterval: -1, // events and build logs are streams
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return real.Dialer()(ctx)
		}},
	}
	return e, e.Up()
}

// Env is what points the program to this engine.
func (e *Engine) Env() string { return "DOCKER_HOST=unix://" + e.Socket }

// Up lets the program reach the engine.
func (e *Engine) Up() error {
	listener, err := net.Listen("unix", e.Socket)
	if err != nil {
		return fmt.Errorf("engine's socket: %w", err)
	}
	e.server = &http.Server{Handler: e.proxy}
	go e.server.Serve(listener)
	return nil
}

// Down cuts every connection to the engine, and lets in no new one.
func (e *Engine) Down() error {
	if e.server == nil {
		return nil
	}
	err := e.server.Close()
	e.server = nil
	os.Remove(e.Socket)
	return err
}

func (e *Engine) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker"
	if strings.HasSuffix(r.In.URL.Path, "/containers/json") || strings.HasSuffix(r.In.URL.Path, "/images/json") {
		r.Out.URL.RawQuery = e.narrow(r.In.URL.Query())
	}
	if strings.HasSuffix(r.In.URL.Path, "/containers/create") {
		e.labelled(r.Out)
	}
}

// labelled gives a container that is made through this proxy, as OpenClaw's are,
// the label of this run.
func (e *Engine) labelled(r *http.Request) {
	text, err := io.ReadAll(r.Body)
	wish := map[string]any{}
	if err == nil && json.Unmarshal(text, &wish) == nil {
		labels, _ := wish["Labels"].(map[string]any)
		if labels == nil {
			labels = map[string]any{}
		}
		labels[runLabel], wish["Labels"] = e.run, labels
		if with, err := json.Marshal(wish); err == nil {
			text = with
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
}

// narrow adds this run's label to the filters of a list.
func (e *Engine) narrow(query url.Values) string {
	filters := map[string]map[string]bool{}
	if text := query.Get("filters"); text != "" && json.Unmarshal([]byte(text), &filters) != nil {
		return query.Encode()
	}
	if filters["label"] == nil {
		filters["label"] = map[string]bool{}
	}
	filters["label"][runLabel+"="+e.run] = true
	if text, err := json.Marshal(filters); err == nil {
		query.Set("filters", string(text))
	}
	return query.Encode()
}
