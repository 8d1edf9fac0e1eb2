package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/githabideri/fraktalia/firewall"
	"github.com/githabideri/fraktalia/reply"
)

// shown is what `fraktalia firewall show --json` prints.
type shown struct {
	Network string         `json:"network"`
	Exists  bool           `json:"exists"`
	Bridge  string         `json:"bridge"`
	Subnets []netip.Prefix `json:"subnets"`
	// Containers are those that are on the network now.
	Containers []string           `json:"containers"`
	Backend    string             `json:"backend"`
	Docker     string             `json:"docker_backend"`
	Rules      firewall.Standing  `json:"rules"`
	Allowed    []string           `json:"allowed"`
	Counters   []firewall.Counter `json:"counters"`
}

func (w *wall) show(ctx context.Context, asJSON bool) error {
	policy, _, err := w.policy()
	if err != nil {
		return err
	}
	s := shown{Network: w.config.Network, Bridge: firewall.Bridge, Backend: w.rules.Backend().Name(), Docker: w.docker,
		Subnets: []netip.Prefix{}, Containers: []string{}, Allowed: []string{}, Counters: []firewall.Counter{}}
	if s.Rules, err = w.rules.Look(ctx, policy); err != nil {
		return err
	}
	listing, err := w.rules.Backend().List(ctx)
	if err != nil {
		return err
	}
	s.Counters = append(s.Counters, listing.Counters...)
	for _, o := range policy.All() {
		s.Allowed = append(s.Allowed, o.String())
	}
	if n, ok, err := w.engine.Network(ctx, w.config.Network); err == nil && ok {
		s.Exists, s.Subnets, s.Containers = n.Ours, append(s.Subnets, n.Subnets...), append(s.Containers, n.Containers...)
	}
	if asJSON {
		encoder := json.NewEncoder(w.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(s)
	}
	fmt.Fprintln(w.stdout, strings.TrimSpace(s.doc(w.silent != nil).Text()))
	return nil
}

var standingText = map[firewall.Standing]string{
	firewall.Missing: "❌ none are in; fraktalia firewall apply puts them in",
	firewall.Foreign: "❌ somebody else has changed them; fraktalia firewall apply puts them back",
	firewall.Older:   "⚠️ they are for another configuration, or for other networks around this machine; fraktalia firewall apply renews them",
	firewall.Right:   "✅ they stand",
}

func (s shown) doc(silent bool) reply.Doc {
	network := fmt.Sprintf("✅ %s: %s on %s; containers on it: %d", s.Network, prefixes(s.Subnets), s.Bridge, len(s.Containers))
	switch {
	case silent:
		network = "❌ " + s.Network + ": not known, the Docker engine does not answer"
	case !s.Exists:
		network = "❌ " + s.Network + " is not there; fraktalia firewall apply makes it"
	}
	table := reply.Table{Head: []string{"way", "what", "packets", "bytes"}}
	for _, c := range s.Counters {
		table.Rows = append(table.Rows, []any{wayText[c.Chain], c.What, c.Packets, c.Bytes})
	}
	doc := reply.Doc{reply.Lines{Items: []reply.Line{
		{"Network: ", network},
		{"Rules: ", standingText[s.Rules], fmt.Sprintf(" (%s; Docker uses %s)", s.Backend, s.Docker)},
	}}}
	if len(table.Rows) > 0 {
		doc = append(doc, table)
	}
	return doc
}

var wayText = map[string]string{"out_of_sandbox": "out", "into_sandbox": "in", "to_host": "to this machine"}
