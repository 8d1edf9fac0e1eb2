package homeserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer  = 16 << 20        // bytes of an answer that are read; a list of 1,000 rooms has 1 MB
	maxTries   = 8               // of one call that is rate limited
	maxPause   = 2 * time.Minute // that a single rate limit may cost where the context sets no end
	shortPause = 500 * time.Millisecond
)

// request is one call of a homeserver's HTTP interface.
type request struct {
	action string // what it does, for errors; holds no secret, unlike path and body
	method string
	path   string     // already escaped, see pathf
	token  Secret     // access token; "" for none
	body   any        // sent as JSON; nil for none
	form   url.Values // sent in place of a body, with login
	login  *basicLogin
}

// basicLogin is a client of OAuth 2.0 with its secret.
type basicLogin struct{ name, secret Secret }

// pathf fills path-escaped values into a path.
func pathf(format string, values ...string) string {
	escaped := make([]any, len(values))
	for i, value := range values {
		escaped[i] = url.PathEscape(value)
	}
	return fmt.Sprintf(format, escaped...)
}

// call sends the request and decodes a 2xx answer into out (nil: ignored). A
// 429 is waited out as the server asks, as long as the context allows.
func (c *Client) call(ctx context.Context, r request, out any) error {
	for try := 1; ; try++ {
		pause, err := c.once(ctx, r, out)
		if pause == 0 {
			return err
		}
		if try == maxTries || !enough(ctx, pause) {
			return ErrRateLimited{Action: r.action, RetryAfter: pause}
		}
		if err := wait(ctx, pause); err != nil {
			return fmt.Errorf("%s: %w", r.action, err)
		}
	}
}

// once is one try; a pause other than 0 is what the server asks to wait.
func (c *Client) once(ctx context.Context, r request, out any) (time.Duration, error) {
	response, err := c.send(ctx, r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, c.transport(ctx, r, err)
	}
	switch {
	case response.StatusCode == http.StatusTooManyRequests:
		return retryAfter(response.Header, data), nil
	case response.StatusCode/100 != 2:
		return 0, c.refusal(r, response.StatusCode, data)
	case out == nil:
		return 0, nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return 0, fmt.Errorf("%s: answer of %s is not understood: %w", r.action, c.address, err)
	}
	return 0, nil
}

func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.action, err)
		}
		body = bytes.NewReader(data)
	}
	if r.form != nil {
		body = strings.NewReader(r.form.Encode())
	}
	out, err := http.NewRequestWithContext(ctx, r.method, c.address+r.path, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.action, bare(err))
	}
	out.Header.Set("User-Agent", "fraktalia")
	switch {
	case r.form != nil:
		out.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	case body != nil:
		out.Header.Set("Content-Type", "application/json")
	}
	if r.login != nil {
		out.SetBasicAuth(url.QueryEscape(r.login.name.Reveal()), url.QueryEscape(r.login.secret.Reveal())) // RFC 6749, 2.3.1
	}
	if r.token != "" {
		out.Header.Set("Authorization", "Bearer "+r.token.Reveal())
	}
	response, err := c.http.Do(out)
	if err != nil {
		return nil, c.transport(ctx, r, err)
	}
	return response, nil
}

// transport words a failure below HTTP. The caller's own end of patience is
// not the server's fault and stays a context error.
func (c *Client) transport(ctx context.Context, r request, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", r.action, ctx.Err())
	}
	return ErrUnreachable{Address: c.address, Err: bare(err)}
}

// bare takes the request's address off an error: paths may hold tokens.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// refusal makes the error of an answer that is not 2xx.
func (c *Client) refusal(r request, status int, data []byte) error {
	var answer struct {
		Code    string `json:"errcode"`
		Message string `json:"error"`
		Errors  []struct {
			Title string `json:"title"` // of the Matrix Authentication Service
		} `json:"errors"`
	}
	_ = json.Unmarshal(data, &answer) // a proxy answers in HTML: then both stay empty
	if len(answer.Errors) > 0 {
		answer.Message = answer.Errors[0].Title
	}
	switch {
	case answer.Code == "M_UNKNOWN_TOKEN" || answer.Code == "M_MISSING_TOKEN":
		return ErrTokenRefused{Address: c.address}
	case answer.Code == "" && (status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout):
		return ErrUnreachable{Address: c.address, Err: fmt.Errorf("the proxy in front of it answers %d", status)}
	}
	return ErrResponse{Action: r.action, Status: status, Code: answer.Code, Message: answer.Message}
}

// retryAfter reads how long a 429 asks to wait: Synapse sends the header
// Retry-After, Dendrite retry_after_ms in the body only.
func retryAfter(header http.Header, data []byte) time.Duration {
	if seconds, err := strconv.Atoi(header.Get("Retry-After")); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	var answer struct {
		Milliseconds float64 `json:"retry_after_ms"`
	}
	if json.Unmarshal(data, &answer) == nil && answer.Milliseconds > 0 {
		return time.Duration(answer.Milliseconds * float64(time.Millisecond))
	}
	return shortPause
}

// enough says whether the context, or where it has no end our patience,
// outlasts the pause.
func enough(ctx context.Context, pause time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline) > pause
	}
	return pause <= maxPause
}

func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// refused says whether err is an answer of the homeserver with this code.
func refused(err error, code string) bool {
	var response ErrResponse
	return errors.As(err, &response) && response.Code == code
}
