package socketproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldest is the oldest version of the engine's interface that is let through:
// older ones take orders in places where nobody looks any more (a start with
// a HostConfig, before 1.24).
const oldest = 41

// bodyMost bounds a body that is read before it is judged.
const bodyMost = 1 << 20

var (
	versioned = regexp.MustCompile(`^/v1\.([0-9]+)(/.*)$`)
	plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_.:@-]+)+$`)
)

// refusal is why a request is not passed on.
type refusal struct {
	status   int
	sentence string
}

func (r *refusal) Error() string { return r.sentence }

func refuse(format string, args ...any) error {
	return &refusal{http.StatusForbidden, fmt.Sprintf(format, args...)}
}

func missing(format string, args ...any) error {
	return &refusal{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

// visit is one request on its way.
type visit struct {
	*Proxy
	endpoint Endpoint
	in       *http.Request
	// version is what stands before the path, such as "/v1.41", or nothing;
	// name is what the path is about.
	version, path, name string
	query               url.Values
	text                []byte // the body that goes on in place of the one that came
}

// serve judges a request and passes it on.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	v, err := p.admit(r)
	if err != nil {
		p.refused(w, r, err)
		return
	}
	if p.o.Verbose {
		p.o.Log.WithField("endpoint", v.endpoint.String()).Info("let through")
	}
	passing := &httputil.ReverseProxy{
		Rewrite:       v.rewrite,
		Transport:     p.transport,
		FlushInterval: -1, // events, logs and builds are streams
		ErrorHandler:  p.refused,
		ErrorLog:      newStandardLog(io.Discard), // of connections that end in their middle
	}
	if v.endpoint.answer != nil {
		passing.ModifyResponse = func(response *http.Response) error {
			if response.StatusCode >= 300 {
				return nil
			}
			return v.endpoint.answer(v, response)
		}
	}
	passing.ServeHTTP(w, r)
}

// admit says what a request is, or why it does not pass.
func (p *Proxy) admit(r *http.Request) (*visit, error) {
	v := &visit{Proxy: p, in: r}
	path := r.URL.EscapedPath()
	if found := versioned.FindStringSubmatch(path); found != nil {
		number, err := strconv.Atoi(found[1])
		if err != nil || number < oldest {
			return nil, refuse("version 1.%.10s of the interface is older than 1.%d", found[1], oldest)
		}
		path, v.version = found[2], fmt.Sprintf("/v1.%d", number) // 1.020 is 1.20 to an engine
	}
	if !plainPath.MatchString(path) || slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return nil, refuse("the path has something in it that no request of the bot's has")
	}
	if r.URL.Host != "" || r.URL.User != nil || r.URL.Fragment != "" {
		return nil, refuse("the address is no path")
	}
	var err error
	if v.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return nil, refuse("the query cannot be read")
	}
	if err := v.find(path); err != nil {
		return nil, err
	}
	if err := v.checkQuery(); err != nil {
		return nil, err
	}
	if err := v.checkShape(); err != nil {
		return nil, err
	}
	if v.endpoint.decide != nil {
		err = v.endpoint.decide(v)
	}
	return v, err
}

// find looks the request up in the list.
func (v *visit) find(path string) error {
	for _, e := range v.endpoints {
		found := e.path.FindStringSubmatch(path)
		if found == nil || e.Method != v.in.Method || e.With != "" && !v.query.Has(e.With) || v.version == "" && !e.bare {
			continue
		}
		v.endpoint, v.path = e, path
		if len(found) > 1 {
			v.name = found[1]
		}
		return nil
	}
	return refuse("it is not on the list of what the bot needs")
}

// checkQuery leaves out what says nothing, and refuses what is not on the list.
func (v *visit) checkQuery() error {
	for key, values := range v.query {
		many := slices.Contains(v.endpoint.query, key+"*")
		if len(values) != 1 && !many {
			return refuse("%q is given %d times", key, len(values))
		}
		switch {
		case key == "filters" && v.endpoint.filters != nil:
			if err := v.checkFilters(values[0]); err != nil {
				return err
			}
		case many, slices.Contains(v.endpoint.query, key), slices.Contains(v.endpoint.query, key+"="+values[0]):
		case saysNothing(values[0]):
			v.query.Del(key)
		default:
			return refuse("%s=%.60q is not let through", key, values[0])
		}
	}
	return nil
}

// checkFilters keeps the filters that are on the list. By others it could be
// guessed what the answer leaves out.
func (v *visit) checkFilters(text string) error {
	var filters map[string]map[string]bool
	if json.Unmarshal([]byte(text), &filters) != nil {
		return refuse("the filters cannot be read")
	}
	for name, values := range filters {
		for value, wanted := range values {
			if !wanted || !slices.Contains(v.endpoint.filters[name], value) {
				return refuse("the filter %.40s=%.60s is not let through", name, value)
			}
		}
	}
	kept, err := json.Marshal(filters)
	v.query.Set("filters", string(kept))
	return err
}

// saysNothing tells the values that clients write for "not set".
func saysNothing(value string) bool {
	return slices.Contains([]string{"", "0", "false", "null", "[]", "{}"}, value)
}

// checkShape looks at what the request wants beside its path.
func (v *visit) checkShape() error {
	if upgrades := v.in.Header.Get("Upgrade"); upgrades != "" && (!v.endpoint.upgrade || upgrades != "tcp") {
		return refuse("the connection is not to be taken over by %.40q", upgrades)
	}
	if v.in.ContentLength != 0 && v.endpoint.body == noBody {
		return refuse("it takes no body")
	}
	return nil
}

// rewrite writes the request anew: nothing goes on that was not looked at.
func (v *visit) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL = &url.URL{Scheme: "http", Host: "docker", Path: v.version + v.path, RawQuery: v.query.Encode()}
	r.Out.Host = "docker"
	came := r.Out.Header
	r.Out.Header, r.Out.Trailer = http.Header{"User-Agent": {"fraktalia"}}, nil
	for _, name := range []string{"Connection", "Upgrade"} {
		if value := came.Get(name); value != "" && v.endpoint.upgrade {
			r.Out.Header.Set(name, value)
		}
	}
	// What a body is, is said by us alone: fields of a form count to an engine as
	// parameters do, and more than those that were judged.
	switch v.endpoint.body {
	case noBody:
		r.Out.Body, r.Out.ContentLength, r.Out.TransferEncoding = http.NoBody, 0, nil
	case judgedBody:
		r.Out.Body, r.Out.ContentLength, r.Out.TransferEncoding = io.NopCloser(bytes.NewReader(v.text)), int64(len(v.text)), nil
		r.Out.Header.Set("Content-Type", "application/json")
	case sentBody: // the files of a build, as they come
		r.Out.Header.Set("Content-Type", "application/x-tar")
	}
}

// refused tells the client why, and the log in one line.
func (p *Proxy) refused(w http.ResponseWriter, r *http.Request, err error) {
	var no *refusal
	if !errors.As(err, &no) {
		no = &refusal{engineBusy, "the Docker engine does not answer"}
	}
	log := p.o.Log.WithField("status", no.status).WithField("request", fmt.Sprintf("%s %.200s", r.Method, r.URL.EscapedPath()))
	switch {
	case r.Context().Err() != nil: // nobody waits for it any more
	case no.status == http.StatusForbidden:
		log.Warn("refused: " + no.sentence)
	case no.status == engineBusy:
		log.WithError(err).Warn(no.sentence)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close")
	w.WriteHeader(no.status)
	if no.status == http.StatusForbidden {
		json.NewEncoder(w).Encode(map[string]string{"message": "fraktalia's socket proxy refuses this: " + no.sentence})
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"message": no.sentence})
}

func newStandardLog(to io.Writer) *log.Logger { return log.New(to, "", 0) }
