package forwarder

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Spec is a forward as it was asked for; it is what a store keeps.
type Spec struct {
	Port          int    // on the host
	To            int    // inside the sandbox; 0 is the same as Port
	Agent         string // whose sandbox; "" is the only agent that has one running
	Bind          Bind   // 0 is Home
	ProxyProtocol bool   // begin each connection with a PROXY protocol line (version 1); TCP only
	UDP           bool   // datagrams instead of connections
}

// Key names a forward: a number may be forwarded once for TCP and once for
// UDP.
type Key struct {
	Port int
	UDP  bool
}

// String writes it as Docker does: "9005", "9005/udp".
func (k Key) String() string {
	if k.UDP {
		return fmt.Sprintf("%d/udp", k.Port)
	}
	return fmt.Sprint(k.Port)
}

// Key is the forward's name.
func (s Spec) Key() Key { return Key{s.Port, s.UDP} }

// normal fills in what the zero values stand for.
func (s Spec) normal() Spec {
	if s.To == 0 {
		s.To = s.Port
	}
	if s.Bind == 0 {
		s.Bind = Home
	}
	return s
}

func (s Spec) check() error {
	for _, port := range []int{s.Port, s.To} {
		if port < 1 || port > 65535 {
			return fmt.Errorf("%d is no port", port)
		}
	}
	if s.UDP && s.ProxyProtocol {
		return errors.New("the PROXY protocol is for TCP")
	}
	if s.Bind&^(Home|Any) != 0 {
		return fmt.Errorf("unknown bind policy %#x", uint8(s.Bind))
	}
	return nil
}

// Sandbox is a container that may be forwarded to. Only running ones are
// given to SetSandboxes.
type Sandbox struct {
	ID      string
	Name    string
	Agent   string       // "" for the sandbox that all agents share
	Host    string       // on whose engine it runs; "" is this host's
	Addrs   []netip.Addr // tried in this order, from that host; empty with network: none
	Started time.Time    // of the present run: the newest is tried first
}

// State says how a forward stands.
type State int

// States of a forward.
const (
	Serving     State = iota // listening, and a sandbox is there
	Waiting                  // listening, no sandbox of that agent runs
	Ambiguous                // listening, several agents have sandboxes and none was named
	Unreachable              // listening, the sandbox runs without any network
	Unknown                  // listening, the engine does not answer
	Held                     // not listening: the port is another program's, retried
)

func (s State) String() string {
	return [...]string{"serving", "waiting", "ambiguous", "unreachable", "unknown", "held"}[s]
}

// Answer is what the last attempt to reach the service inside met.
type Answer int

// Answers of what is behind a forward.
const (
	NotTried Answer = iota
	Answers         // something accepted the connection
	Silent          // nothing listens on that port inside
)

func (a Answer) String() string { return [...]string{"not tried", "answers", "silent"}[a] }

// Status is a forward as it stands.
type Status struct {
	Spec
	State     State
	Sandbox   Sandbox          // whom the next connection reaches; zero unless Serving or Unreachable
	Agents    []string         // with Ambiguous: who could be meant, sorted
	Holder    string           // with Held: the other program, "" if not known
	Err       error            // with Held: why it cannot listen; with Unknown: why not known
	Listening []netip.AddrPort // sorted; some may be missing while another program holds them
	Answer    Answer           // met by the last connection or probe
	Way       string           // how that one went: "direct", or a Dialer's way
	Open      int64            // connections now, or flows of datagrams
	Total     uint64           // those taken since the forward was opened
	In, Out   uint64           // bytes to the sandbox, bytes from it
	Since     time.Time        // when it was opened in this process

	Reached                   map[string]uint64 // connections made to sandboxes, by way; none with UDP
	Failures                  Failures          // connections that got nothing or were cut, by kind
	DatagramsIn, DatagramsOut uint64            // with UDP, as In and Out
}

// InUseError says that another program has the port.
type InUseError struct {
	Addr   netip.AddrPort // the address that was refused
	Holder string         // the other program, "" if not known
}

func (e *InUseError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("%s is in use by another program", e.Addr)
	}
	return fmt.Sprintf("%s is in use by %s", e.Addr, e.Holder)
}

// AlreadyError says that the port is forwarded already, and how.
type AlreadyError struct{ Spec Spec }

func (e *AlreadyError) Error() string {
	return fmt.Sprintf("port %s is already forwarded", e.Spec.Key())
}

// NotOpenError says that the port is not forwarded.
type NotOpenError struct{ Key Key }

func (e *NotOpenError) Error() string { return fmt.Sprintf("port %s is not forwarded", e.Key) }

// NoSandboxError says that no sandbox of the agent runs ("": none at all).
type NoSandboxError struct{ Agent string }

func (e *NoSandboxError) Error() string {
	if e.Agent == "" {
		return "no sandbox is running"
	}
	return fmt.Sprintf("no sandbox of agent %q is running", e.Agent)
}

// AmbiguousError says that several agents have sandboxes and none was named.
type AmbiguousError struct{ Agents []string }

func (e *AmbiguousError) Error() string {
	return "several agents have sandboxes: " + strings.Join(e.Agents, ", ")
}

// UnknownError says that the engine does not answer, so that no address of a
// sandbox can be trusted.
type UnknownError struct {
	Host string // the engine's; "" is this one
	Err  error
}

func (e *UnknownError) Error() string {
	if e.Err == nil {
		return "sandboxes are not known yet"
	}
	return "sandboxes are not known: " + e.Err.Error()
}

func (e *UnknownError) Unwrap() error { return e.Err }

// SilentError says that the sandbox is there and the port inside does not
// take connections.
type SilentError struct {
	Sandbox Sandbox
	To      int
	Err     error // what the last attempt met; nil where there was no address to try
}

func (e *SilentError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("sandbox %s has no network", e.Sandbox.Name)
	}
	return fmt.Sprintf("nothing answers on port %d of sandbox %s: %v", e.To, e.Sandbox.Name, e.Err)
}

func (e *SilentError) Unwrap() error { return e.Err }

// NoRelayError says that a sandbox can be reached by its addresses alone: what
// listens on 127.0.0.1 inside, or has no network, would take the relay, which
// its image does not have. It comes as the Err of a *SilentError.
type NoRelayError struct {
	Sandbox Sandbox
	Err     error
}

func (e *NoRelayError) Error() string {
	return fmt.Sprintf("sandbox %s has no relay: %v", e.Sandbox.Name, e.Err)
}

func (e *NoRelayError) Unwrap() error { return e.Err }
