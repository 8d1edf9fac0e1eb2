// Package socketproxy stands before the Docker engine's socket and lets through
// what the bot needs of the engine, and nothing else: who may talk to the
// socket itself can do on the machine what root can.
//
// It owns the list of what is let through (Endpoints) and everything that is
// looked at before a request goes on: method, path, query, body, and whose
// container or image it is about. A request is never passed on as it came: it
// is parsed, judged, and written anew. It keeps no state but which commands
// were prepared through it, trusts the engine, and knows neither the bot nor
// its configuration.
package socketproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

const (
	// socketMode lets the group in and nobody else.
	socketMode = 0o660
	// headerPatience and headerMost bound what a client may have us wait for
	// and keep before it is judged.
	headerPatience = 10 * time.Second
	headerMost     = 64 << 10
	// stopPatience is how long requests may end by themselves.
	stopPatience = 3 * time.Second
	// engineBusy says that the engine cannot be reached; clients of its own kind
	// take that status for "try again".
	engineBusy = http.StatusServiceUnavailable
)

// Options say what is let through to which engine.
type Options struct {
	// Listen is the path of the socket to be made; Group may use it, "" is the
	// process's own.
	Listen, Group string
	// Engine is the path of the engine's socket.
	Engine string
	// Images are the names that builds may end in. To each belong those with
	// "-candidate" and "-previous" behind.
	Images []string
	// Made are names that images may be imported as.
	Made []string
	// Bases are images that may be pulled.
	Bases []string
	// Network is the network of isolated sandboxes.
	Network string
	// Verbose has what is let through logged, too.
	Verbose bool
	Log     *logrus.Entry
}

// Proxy stands between a client and the engine.
type Proxy struct {
	o         Options
	endpoints []Endpoint
	images    names // that a tag may be put on, or taken away
	builds    names
	imports   names
	bases     names
	transport *http.Transport
	listener  net.Listener

	mu       sync.Mutex
	prepared map[string]time.Time // commands that were prepared through us and not begun
}

// New makes a proxy; nothing listens yet. Errors: *NameError.
func New(o Options) (*Proxy, error) {
	p := &Proxy{o: o, endpoints: Endpoints(), prepared: map[string]time.Time{}}
	for _, set := range []struct {
		of      *names
		from    []string
		endings []string
	}{
		{&p.images, o.Images, []string{"", "-candidate", "-previous"}}, {&p.builds, o.Images, []string{"-candidate"}},
		{&p.imports, o.Made, []string{""}}, {&p.bases, o.Bases, []string{""}},
	} {
		var err error
		if *set.of, err = newNames(set.from, set.endings...); err != nil {
			return nil, err
		}
	}
	p.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", o.Engine)
		},
		DisableCompression: true,
		DisableKeepAlives:  true, // a connection from before the engine's restart would lose an order
	}
	return p, nil
}

// Listen makes the socket.
func (p *Proxy) Listen() error {
	if conn, err := net.Dial("unix", p.o.Listen); err == nil {
		conn.Close()
		return errors.New("another program listens there already")
	}
	if info, err := os.Lstat(p.o.Listen); err == nil && info.Mode().Type() == os.ModeSocket {
		os.Remove(p.o.Listen) // of one that was killed
	}
	before := syscall.Umask(0o777 &^ socketMode) // never open to others, not for a moment
	listener, err := net.Listen("unix", p.o.Listen)
	syscall.Umask(before)
	if err != nil {
		var system syscall.Errno
		if errors.As(err, &system) {
			return system // the path is known
		}
		return err
	}
	if err := p.give(); err != nil {
		listener.Close()
		return err
	}
	p.listener = listener
	return nil
}

// give gives the socket to the group.
func (p *Proxy) give() error {
	if p.o.Group == "" {
		return nil
	}
	group, err := user.LookupGroup(p.o.Group)
	if err != nil {
		return fmt.Errorf("give the socket to a group: %w", err)
	}
	number, err := strconv.Atoi(group.Gid)
	if err == nil {
		err = os.Chown(p.o.Listen, -1, number)
	}
	if err != nil {
		return fmt.Errorf("give the socket to the group %s: %w", p.o.Group, err)
	}
	return nil
}

// Run serves until ctx ends, and returns when nothing is under way any more.
func (p *Proxy) Run(ctx context.Context) error {
	quiet := p.o.Log.WriterLevel(logrus.DebugLevel)
	defer quiet.Close()
	var visits sync.WaitGroup
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			visits.Add(1)
			defer visits.Done()
			bound, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(ctx, func() { time.AfterFunc(stopPatience, cancel) })()
			p.serve(w, r.WithContext(bound))
		}),
		ReadHeaderTimeout: headerPatience,
		MaxHeaderBytes:    headerMost,
		ErrorLog:          newStandardLog(quiet),
	}
	stopped := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(stopped)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
	})
	err := server.Serve(p.listener)
	if errors.Is(err, http.ErrServerClosed) {
		<-stopped
		err = nil
	}
	visits.Wait()
	return err
}
