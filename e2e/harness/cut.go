package harness

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// When a connection breaks.
const (
	Before = "before" // the server hears nothing of it
	After  = "after"  // the server has done it, and nobody hears so
)

// Cutter stands in front of a homeserver and breaks connections, as a server
// does that goes down in the middle of something.
type Cutter struct {
	Address string

	server *http.Server
	mu     sync.Mutex
	what   *regexp.Regexp // "METHOD path" of what is cut; nil for nothing
	when   string
	down   bool
}

// NewCutter puts one in front of the homeserver at HOST:PORT.
func NewCutter(target string) (*Cutter, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen in front of the homeserver: %w", err)
	}
	c := &Cutter{Address: "http://" + l.Addr().String()}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: target})
	proxy.FlushInterval = -1
	proxy.ModifyResponse = func(response *http.Response) error {
		if c.breaks(response.Request, After) {
			return fmt.Errorf("cut")
		}
		return nil
	}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	c.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.breaks(r, Before) {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = c.server.Serve(l) }()
	return c, nil
}

// Cut breaks from now on what matches, such as "POST .*/register", and, once it
// has, everything else but the waiting for news: the server is down. (The bot
// would ask for news at ever longer intervals, and the tests would take long.)
// "" breaks nothing any more.
func (c *Cutter) Cut(what, when string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.what, c.when, c.down = nil, when, false
	if what != "" {
		c.what = regexp.MustCompile(what)
	}
}

func (c *Cutter) breaks(r *http.Request, when string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.what == nil {
		return false
	}
	if c.down {
		return when == Before && !strings.HasSuffix(r.URL.Path, "/sync")
	}
	if when != c.when || !c.what.MatchString(r.Method+" "+r.URL.Path) {
		return false
	}
	c.down = true
	return true
}

// Close ends it.
func (c *Cutter) Close() error { return c.server.Close() }
