// Package jsclient is a second opinion on the bot's encryption: a person at a
// client with Element's own crypto (matrix-js-sdk, Rust in WebAssembly), on
// Node, in a process of its own.
//
// It owns that process and the packages that it needs, kept in the user's
// cache folder with the versions of package-lock.json. It judges nothing.
package jsclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Client is one running process with one logged-in device.
type Client struct {
	UserID   string
	DeviceID string

	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan json.RawMessage
	noise   tail

	mu   sync.Mutex // one request at a time
	last int
}

// Login says who logs in.
type Login struct {
	Homeserver string `json:"homeserver"`
	User       string `json:"user"`
	Password   string `json:"password"`
	// OnlySigned makes the client give its keys to no device that its owner
	// has not signed, nor read what such devices send: Element's strict mode.
	OnlySigned bool `json:"onlySigned"`
}

// patience is how long the process itself waits for things, in milliseconds.
const patience = 60_000

// Start brings the packages if needed, starts the process and logs in. The
// process ends with ctx, or with Close.
func Start(ctx context.Context, login Login) (*Client, error) {
	dir, err := Prepare(ctx)
	if err != nil {
		return nil, err
	}
	c := &Client{answers: make(chan json.RawMessage)}
	c.cmd = exec.CommandContext(ctx, nodeIn(dir), "client.mjs")
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = dir, &c.noise, &c.noise
	if err := c.start(); err != nil {
		return nil, fmt.Errorf("start the JavaScript client: %w", err)
	}
	if err := c.login(ctx, login); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// start gives the process a pipe of its own for answers, since the SDK writes
// its log to standard output.
func (c *Client) start() error {
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, far, err := os.Pipe()
	if err != nil {
		return err
	}
	defer far.Close()
	c.cmd.ExtraFiles = []*os.File{far}
	if err := c.cmd.Start(); err != nil {
		out.Close()
		return err
	}
	c.in = in
	go c.read(out)
	return nil
}

func (c *Client) login(ctx context.Context, login Login) error {
	var who struct {
		UserID   string `json:"user_id"`
		DeviceID string `json:"device_id"`
	}
	request := struct {
		Login
		Patience int `json:"patience"`
	}{login, patience}
	if err := c.call(ctx, "login", request, &who); err != nil {
		return err
	}
	c.UserID, c.DeviceID = who.UserID, who.DeviceID
	return nil
}

func (c *Client) read(out io.ReadCloser) {
	defer out.Close()
	defer close(c.answers)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		c.answers <- bytes.Clone(lines.Bytes())
	}
}

// Close ends the process; the device stays on the server.
func (c *Client) Close() error {
	c.in.Close()
	go func() {
		for range c.answers { // let the reader end
		}
	}()
	kill := time.AfterFunc(10*time.Second, func() { c.cmd.Process.Kill() })
	defer kill.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the JavaScript client ended badly: %w\n%s", err, c.noise.String())
	}
	return nil
}

// call sends one request and reads its answer into answer.
func (c *Client) call(ctx context.Context, do string, args, answer any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	line, err := request(c.last, do, args)
	if err != nil {
		return err
	}
	if _, err := c.in.Write(line); err != nil {
		return fmt.Errorf("%s: the JavaScript client is gone: %w\n%s", do, err, c.noise.String())
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s: %w\n%s", do, ctx.Err(), c.noise.String())
	case line, ok := <-c.answers:
		if !ok {
			return fmt.Errorf("%s: the JavaScript client ended\n%s", do, c.noise.String())
		}
		return c.readAnswer(do, line, answer)
	}
}

func (c *Client) readAnswer(do string, line json.RawMessage, answer any) error {
	var head struct {
		ID    int
		Error string
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return fmt.Errorf("%s: answer %q: %w", do, line, err)
	}
	if head.ID != c.last {
		return fmt.Errorf("%s: answer %d to request %d", do, head.ID, c.last)
	}
	if head.Error != "" {
		return fmt.Errorf("%s: %s\n%s", do, head.Error, c.noise.String())
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(line, answer)
}

func request(id int, do string, args any) ([]byte, error) {
	fields := map[string]any{}
	raw, err := json.Marshal(args)
	if err == nil {
		err = json.Unmarshal(raw, &fields)
	}
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", do, err)
	}
	fields["id"], fields["do"] = id, do
	line, err := json.Marshal(fields)
	return append(line, '\n'), err
}

// tail keeps the end of what the process says beside its answers.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write takes some of the process's log.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - 4096; over > 0 {
		t.text = t.text[over:]
	}
	return len(p), nil
}

// String is the last of it.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
