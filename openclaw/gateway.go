package openclaw

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// rpcPath is where OpenClaw's bundled plugin admin-http-rpc listens.
const rpcPath = "/api/v1/admin/rpc"

// applyPause is the pause between two questions whether a change has been applied: OpenClaw notices one after half a
// second to a second.
const applyPause = 150 * time.Millisecond

// maxAnswer bounds what is read of an answer; config.get carries the configuration several times.
const maxAnswer = 64 << 20

// Gateway asks a running OpenClaw gateway, on this machine only: the interface can do everything its operator can.
type Gateway struct {
	base   *url.URL
	token  func() (string, error)
	client *http.Client
}

// NotLoopbackError says that a gateway's address is not on this machine.
type NotLoopbackError struct{ Host string }

func (e *NotLoopbackError) Error() string {
	return fmt.Sprintf("the gateway's address %s is not on this machine, and its admin interface must not be used over a network", e.Host)
}

// GatewayDownError says that nothing listens at the gateway's address, or nothing answers there.
type GatewayDownError struct {
	Address string
	Err     error
}

func (e *GatewayDownError) Error() string {
	return "the OpenClaw gateway at " + e.Address + " does not answer"
}

func (e *GatewayDownError) Unwrap() error { return e.Err }

// GatewayStatusError says that the gateway refused: 401 for a wrong token, 404 where its plugin admin-http-rpc is off.
type GatewayStatusError struct {
	Status  int
	Message string
}

func (e *GatewayStatusError) Error() string {
	return fmt.Sprintf("the OpenClaw gateway answered %d %s", e.Status, e.Message)
}

// NewGateway makes a client. The token is asked for at each call, so that it can be changed and need not be kept. The
// error is a *NotLoopbackError, or one of the address.
func NewGateway(address string, token func() (string, error), client *http.Client) (*Gateway, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" || base.Hostname() == "" {
		return nil, fmt.Errorf("the gateway's address %q is not like http://127.0.0.1:18789", address)
	}
	if ip := net.ParseIP(base.Hostname()); base.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, &NotLoopbackError{base.Hostname()}
	}
	return &Gateway{base, token, client}, nil
}

// State is what the gateway says of its configuration.
type State struct {
	Path     string  `json:"path"`               // of the file that it runs with
	Content  string  `json:"hash"`               // stands for the file's content as the gateway read it last
	Valid    bool    `json:"valid"`              // whether it takes that content
	Revision string  `json:"configRevisionHash"` // of the settings in it; empty while it is not valid
	Applied  string  `json:"appliedConfigHash"`  // of the settings in force
	Issues   []Issue `json:"issues"`
}

// InForce says whether the file's settings are the ones in force.
func (s State) InForce() bool { return s.Valid && s.Revision == s.Applied }

// State asks the gateway. Errors: *GatewayDownError, *GatewayStatusError, and the token's.
func (g *Gateway) State(ctx context.Context) (State, error) {
	var s State
	err := g.call(ctx, "config.get", &s)
	return s, err
}

func (g *Gateway) call(ctx context.Context, method string, payload any) error {
	token, err := g.token()
	if err != nil {
		return fmt.Errorf("read the gateway's token: %w", err)
	}
	body, err := json.Marshal(map[string]string{"method": method})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base.JoinPath(rpcPath).String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := g.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &GatewayDownError{g.base.Host, err}
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	return decode(response, payload)
}

// decode reads an answer.
func decode(response *http.Response, payload any) error {
	var answer struct {
		OK      bool            `json:"ok"`
		Payload json.RawMessage `json:"payload"`
		Error   struct{ Message string }
	}
	err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer)
	if response.StatusCode != http.StatusOK || err == nil && !answer.OK {
		return &GatewayStatusError{response.StatusCode, answer.Error.Message}
	}
	if err != nil {
		return fmt.Errorf("read the gateway's answer: %w", err)
	}
	return json.Unmarshal(answer.Payload, payload)
}

// Verdict is what became of a change.
type Verdict string

// The verdicts.
const (
	Applied  Verdict = "applied"  // the gateway runs with it
	Rejected Verdict = "rejected" // the gateway refused it, and the files were put back
	Unknown  Verdict = "unknown"  // written and checked, but the gateway is down or did not say in time
)

// Outcome is the end of Commit.
type Outcome struct {
	Changes []Change
	PutBack []Change // what was put back after a rejection, for Guard.Own
	Verdict Verdict
	Issues  []Issue       // why the gateway rejected it
	Took    time.Duration // from the rename to the verdict
	Err     error         // for Unknown: why nothing is known, such as a *GatewayDownError
}

// Commit writes a plan and asks the gateway, until ctx ends, whether it has applied it. If the gateway rejects it, the
// files are put back. The error is one of writing or putting back; a gateway that is down is no error, but a verdict.
func (g *Gateway) Commit(ctx context.Context, plan *Plan) (Outcome, error) {
	before, asked := g.State(ctx)
	changes, err := plan.Commit(context.WithoutCancel(ctx))
	if err != nil {
		return Outcome{}, err
	}
	return g.Follow(ctx, before, asked, changes)
}

func putBack(ctx context.Context, changes []Change) ([]Change, error) {
	var done []Change
	for _, made := range changes {
		restored, err := Restore(context.WithoutCancel(ctx), made.Path, made.After, made.Before)
		if err != nil {
			return done, fmt.Errorf("put %s back after the gateway rejected the change: %w", made.Path, err)
		}
		done = append(done, restored)
	}
	return done, nil
}

// await polls until the gateway has read another content than before and either rejects or applies it. A change that
// touches comments or included files only may leave the content's mark as it is; then being in force is what counts.
func (g *Gateway) await(ctx context.Context, before string) (State, error) {
	for {
		state, err := g.State(ctx)
		var down *GatewayDownError
		if err != nil && !errors.As(err, &down) { // while it restarts, it is down for a moment
			return state, err
		}
		if err == nil && state.Content != before && (!state.Valid || state.InForce()) {
			return state, nil
		}
		select {
		case <-ctx.Done():
			if err == nil && state.InForce() {
				return state, nil
			}
			return state, errors.Join(ctx.Err(), err)
		case <-time.After(applyPause):
		}
	}
}

// Refused says whether nothing listens at all, which tells a gateway that is not running from one that is busy.
func (e *GatewayDownError) Refused() bool { return errors.Is(e.Err, syscall.ECONNREFUSED) }
