package firewall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// DefaultState is where a Firewall notes what it has put in. It lies in memory:
// after a restart of the machine neither rules nor note are there.
const DefaultState = "/run/fraktalia/firewall.json"

// Backend puts a policy into the kernel.
type Backend interface {
	// Name is "nftables" or "iptables".
	Name() string
	// Replace puts the policy in place of what is there, in one step.
	Replace(ctx context.Context, p Policy) error
	// Remove takes everything of ours away; nothing there is no error.
	Remove(ctx context.Context) error
	// List is what is there.
	List(ctx context.Context) (Listing, error)
}

// Listing is what the kernel has of ours.
type Listing struct {
	// Text is the list as the backend's own program prints it, "" where nothing
	// is there; Rules is the same without what packets change.
	Text, Rules string
	Counters    []Counter
}

// Counter is what one rule has met.
type Counter struct {
	Chain   string `json:"chain"`
	What    string `json:"what"`
	Packets int64  `json:"packets"`
	Bytes   int64  `json:"bytes"`
}

func newCounter(chain, what, packets, bytes string) Counter {
	c := Counter{Chain: chain, What: what}
	c.Packets, _ = strconv.ParseInt(packets, 10, 64) // a counter's digits
	c.Bytes, _ = strconv.ParseInt(bytes, 10, 64)
	return c
}

// Standing is how the rules are.
type Standing string

// Standings of the rules.
const (
	Missing Standing = "missing" // none are there
	Foreign Standing = "changed" // somebody else has changed them
	Older   Standing = "older"   // they are for another configuration or another network around this machine
	Right   Standing = "right"
)

// Firewall is the rules of this machine, or of its network namespace.
type Firewall struct {
	backend Backend
	state   string
}

// New makes a Firewall that notes what it did in the file at state.
func New(backend Backend, state string) *Firewall { return &Firewall{backend, state} }

// Backend is the one in use.
func (f *Firewall) Backend() Backend { return f.backend }

// note is what Apply has put in, so that a later look can tell whether that
// still stands. The kernel's own list is compared: nft writes rules in its own way.
type note struct {
	Backend string    `json:"backend"`
	Wanted  string    `json:"wanted"`
	Listed  string    `json:"listed"`
	At      time.Time `json:"at"`
}

// Look tells how the rules stand, and changes nothing.
func (f *Firewall) Look(ctx context.Context, p Policy) (Standing, error) {
	listed, err := f.backend.List(ctx)
	if err != nil {
		return "", fmt.Errorf("list the rules: %w", err)
	}
	known := f.read()
	switch {
	case listed.Text == "":
		return Missing, nil
	case known.Backend != f.backend.Name() || known.Listed != fingerprint(listed.Rules):
		return Foreign, nil
	case known.Wanted != fingerprint(p.Script()):
		return Older, nil
	}
	return Right, nil
}

// Apply sees to it that exactly the policy's rules stand, and tells how they
// stood before. Rules that are right are left alone, with their counters.
func (f *Firewall) Apply(ctx context.Context, p Policy) (before Standing, err error) {
	before, err = f.Look(ctx, p)
	if err != nil || before == Right {
		return before, err
	}
	if before == Foreign && f.read().Listed == "" {
		before = Older // ours, from before the note was lost
	}
	return before, f.Replace(ctx, p)
}

// Replace puts the policy in whatever is there, and looks that it is.
func (f *Firewall) Replace(ctx context.Context, p Policy) error {
	if err := f.backend.Replace(ctx, p); err != nil {
		return fmt.Errorf("put the rules in: %w", err)
	}
	listed, err := f.backend.List(ctx)
	if err != nil {
		return fmt.Errorf("list the rules: %w", err)
	}
	if err := verify(p, listed.Counters); err != nil {
		return err
	}
	return f.write(note{Backend: f.backend.Name(), Wanted: fingerprint(p.Script()), Listed: fingerprint(listed.Rules), At: time.Now()})
}

// verify compares the rules that the kernel has with those that it should have.
func verify(p Policy, counters []Counter) error {
	there := map[[2]string]bool{}
	for _, c := range counters {
		there[[2]string{c.Chain, c.What}] = true
	}
	for _, c := range p.chains() {
		for _, r := range c.rules {
			if !there[[2]string{c.name, r.what}] {
				return fmt.Errorf("the kernel took the rules, but has none for %q in %s", r.what, c.name)
			}
		}
	}
	return nil
}

// Remove takes the rules away.
func (f *Firewall) Remove(ctx context.Context) error {
	if err := f.backend.Remove(ctx); err != nil {
		return fmt.Errorf("take the rules away: %w", err)
	}
	if err := os.Remove(f.state); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the note of the rules: %w", err)
	}
	return nil
}

// read gives the zero note where there is none that can be read: what is there
// is then put in anew.
func (f *Firewall) read() (n note) {
	if text, err := os.ReadFile(f.state); err == nil && json.Unmarshal(text, &n) != nil {
		return note{}
	}
	return n
}

func (f *Firewall) write(n note) error {
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("note the rules: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(f.state), 0o755); err != nil {
		return fmt.Errorf("note the rules: %w", err)
	}
	fresh := f.state + ".new"
	if err := os.WriteFile(fresh, text, 0o644); err != nil {
		return fmt.Errorf("note the rules: %w", err)
	}
	return os.Rename(fresh, f.state)
}

func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
	return hex.EncodeToString(sum[:])
}
