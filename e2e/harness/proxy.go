package harness

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
)

// Verdict is what a Proxy does with a request.
type Verdict int

// The verdicts.
const (
	Pass   Verdict = iota
	Cut            // the connection breaks before the server has the request
	Lose           // the server has it, and its answer is lost
	Limit          // 429, to be tried again after a second
	Limits         // 429, to be tried again after an hour
)

// Proxy stands between the program and its homeserver, and breaks what a test
// tells it to break.
type Proxy struct {
	Address string

	server *httptest.Server
	behind http.Handler
	mu     sync.Mutex
	judge  func(*http.Request) Verdict
	own    map[string]string // path to what the proxy answers itself
}

// Answer has the proxy answer a path itself, with 200 and body.
func (p *Proxy) Answer(path, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.own == nil {
		p.own = map[string]string{}
	}
	p.own[path] = body
}

// NewProxy makes one in front of target.
func NewProxy(target string) (*Proxy, error) {
	address, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	behind := httputil.NewSingleHostReverseProxy(address)
	behind.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) } // no noise
	p := &Proxy{behind: behind}
	p.server = httptest.NewServer(p)
	p.Address = p.server.URL
	return p, nil
}

// Judge sets what becomes of requests from now on; nil lets all pass.
func (p *Proxy) Judge(judge func(*http.Request) Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge = judge
}

// Close ends it.
func (p *Proxy) Close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// ServeHTTP passes a request on, or not.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	verdict := Pass
	if p.judge != nil {
		verdict = p.judge(r)
	}
	body, own := p.own[r.URL.Path]
	p.mu.Unlock()
	if own {
		_, _ = w.Write([]byte(body))
		return
	}
	switch verdict {
	case Cut:
		panic(http.ErrAbortHandler)
	case Lose:
		p.behind.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case Limit, Limits:
		wait := map[Verdict]string{Limit: "1", Limits: "3600"}[verdict]
		w.Header().Set("Retry-After", wait)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":` + wait + `000}`))
		return
	}
	p.behind.ServeHTTP(w, r)
}
