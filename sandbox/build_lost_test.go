package sandbox_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/githabideri/fraktalia/sandbox"
)

// cuttable is a socket in front of the real engine whose connections can be
// cut, as an engine that dies cuts them.
type cuttable struct {
	listener net.Listener
	mutex    sync.Mutex
	open     []net.Conn
}

func newCuttable(t *testing.T) (*cuttable, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c := &cuttable{listener: listener}
	go c.serve()
	t.Cleanup(c.cut)
	return c, "unix://" + path
}

func (c *cuttable) serve() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		engine, err := net.Dial("unix", "/var/run/docker.sock")
		if err != nil {
			client.Close()
			continue
		}
		c.mutex.Lock()
		c.open = append(c.open, client, engine)
		c.mutex.Unlock()
		go func() { _, _ = io.Copy(engine, client); engine.Close() }()
		go func() { _, _ = io.Copy(client, engine); client.Close() }()
	}
}

func (c *cuttable) cut() {
	c.listener.Close()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, connection := range c.open {
		connection.Close()
	}
}

func TestEngineLostInTheMiddle(t *testing.T) {
	forBothBuilders(t, func(t *testing.T, e *sandbox.Engine, o sandbox.BuildOptions) {
		before := buildGood(t, e, o)
		socket, host := newCuttable(t)
		through, err := sandbox.Connect(host)
		if err != nil {
			t.Fatal(err)
		}
		defer through.Close()
		o.Context = dockerfile(o.Tag, "RUN echo sleeping; sleep 600")
		_, err = through.Build(t.Context(), o, func(p sandbox.Progress) {
			if p.Line == "sleeping" {
				socket.cut()
			}
		})
		var down *sandbox.EngineDownError
		if !errors.As(err, &down) || down.Host != host {
			t.Errorf("error %v", err)
		}
		checkUntouched(t, e, o.Tag, before)
	})
}
