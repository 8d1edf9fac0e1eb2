package homeserver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
)

// A contract stands in for a server that no package registry brings: each of
// its replies is that server's own, and names where it says so. A request that
// the contract does not have fails the test.
type contract struct {
	t       *testing.T
	replies []replied
	mu      sync.Mutex
	asked   []asked
}

// replied is one reply of the server.
type replied struct {
	on     string // "METHOD /path?query"
	status int
	body   string
	source string // documentation or source file of the server's release
}

// asked is a request that came.
type asked struct{ on, body, auth string }

// contracted runs one and returns its address.
func contracted(t *testing.T, replies ...replied) (*contract, string) {
	t.Helper()
	c := &contract{t: t, replies: replies}
	for _, r := range replies {
		if r.source == "" {
			t.Fatalf("%s names no source", r.on)
		}
	}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, server.URL
}

func (c *contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	on := r.Method + " " + r.URL.RequestURI()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, asked{on, string(body), r.Header.Get("Authorization")})
	for i, reply := range c.replies {
		if reply.on != on {
			continue
		}
		if i+1 < len(c.replies) && again(c.replies[i+1:], on) { // the first of several is used up
			c.replies = append(c.replies[:i:i], c.replies[i+1:]...)
		}
		w.WriteHeader(reply.status)
		_, _ = w.Write([]byte(reply.body))
		return
	}
	c.t.Errorf("not in the contract: %s %s", on, body)
	w.WriteHeader(http.StatusTeapot)
}

func again(rest []replied, on string) bool {
	for _, reply := range rest {
		if reply.on == on {
			return true
		}
	}
	return false
}

// sent finds the body of the last request; "" where there was none.
func (c *contract) sent(on string) (found string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.asked {
		if a.on == on {
			found = a.body
		}
	}
	return found
}

// times counts requests.
func (c *contract) times(on string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.asked {
		if a.on == on {
			n++
		}
	}
	return n
}

// adminRoom is an admin room of recorded answers; what is not among them fails
// the test.
type adminRoom struct {
	t       *testing.T
	answers map[string]string // command to answer
	said    []string
}

func (a *adminRoom) Command(_ context.Context, text string) (string, error) {
	a.said = append(a.said, text)
	answer, ok := a.answers[text]
	if !ok {
		a.t.Errorf("not in the contract: %s", text)
	}
	return answer, nil
}

// noSecret fails the test where a secret of ours was said in the room.
func (a *adminRoom) noSecret(t *testing.T, secrets ...homeserver.Secret) {
	t.Helper()
	for _, said := range a.said {
		for _, secret := range secrets {
			if strings.Contains(said, secret.Reveal()) {
				t.Errorf("a secret was said in the admin room: %s", said)
			}
		}
	}
}

func date(text string) time.Time {
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(fmt.Sprint("bad date in a test: ", err))
	}
	return when
}
