package firewall

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ipTables puts the rules in where Docker uses the legacy iptables and the
// kernel may have no nftables. Each table of each family is replaced in one
// step by iptables-restore; the families come one after another.
//
// The rules stand twice. In the table filter they refuse with a word; but Docker
// puts its own rules in front when it starts, and they accept. In the table
// security, which comes after filter and which Docker never touches, the same
// rules drop what got past.
type ipTables struct{ families []family }

type family struct {
	program, save string
	six           bool
	prohibited    string
}

func newIPTables() ipTables {
	return ipTables{[]family{
		{"iptables-restore", "iptables-save", false, "icmp-admin-prohibited"},
		{"ip6tables-restore", "ip6tables-save", true, "icmp6-adm-prohibited"},
	}}
}

func (ipTables) Name() string { return "iptables" }

// ours are the chains' names there.
func ours(chain string) string {
	return map[string]string{"out_of_sandbox": "FRAKTALIA-OUT", "into_sandbox": "FRAKTALIA-INTO", "to_host": "FRAKTALIA-HOST"}[chain]
}

// jumps lead packets into the chains.
func jumps(bridge string) [][2]string {
	return [][2]string{
		{"FORWARD", "-o " + bridge + " -j FRAKTALIA-INTO"},
		{"FORWARD", "-i " + bridge + " -j FRAKTALIA-OUT"}, // put in last, so it comes first
		{"INPUT", "-i " + bridge + " -j FRAKTALIA-HOST"},
	}
}

// restore is the input of iptables-restore for one family. There are the jumps
// which are in already; they are taken out and put in again in front.
func (p Policy) restore(f family, there []string) string {
	var out strings.Builder
	out.WriteString(sourceRules(p.Bridge, there))
	for _, table := range []string{"filter", "security"} {
		fmt.Fprintf(&out, "*%s\n", table)
		for _, c := range p.chains() {
			fmt.Fprintf(&out, ":%s - [0:0]\n", ours(c.name))
		}
		for _, c := range p.chains() {
			for _, r := range c.rules {
				for _, match := range r.iptablesMatches(f.six) {
					fmt.Fprintf(&out, "-A %s%s -m comment --comment %q %s\n", ours(c.name), match, r.what, r.iptablesVerdict(table, f))
				}
			}
		}
		out.WriteString(takeOut(table, there))
		for _, jump := range jumps(p.Bridge) {
			fmt.Fprintf(&out, "-I %s 1 %s\n", jump[0], jump[1])
		}
		out.WriteString("COMMIT\n")
	}
	return out.String()
}

// iptablesMatches are the rule's matches in one family, one rule each; none
// where it is of the other.
func (r rule) iptablesMatches(six bool) []string {
	switch r.kind {
	case answers:
		return []string{" -m conntrack --ctstate ESTABLISHED,RELATED --ctdir REPLY"}
	case forged:
		return nil // that is for sourceRules
	case neighbours:
		if !six {
			return nil
		}
		return []string{" -p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255", " -p ipv6-icmp -m icmp6 --icmpv6-type 136 -m hl --hl-eq 255"}
	case opened:
		if r.opening.Prefix.Addr().Is6() != six {
			return nil
		}
		ports := strings.ReplaceAll(r.opening.ports(), "-", ":")
		return []string{fmt.Sprintf(" -d %s -p %s -m %[2]s --dport %s", r.opening.Prefix, r.opening.Protocol, ports)}
	case internet4, internet6:
		if (r.kind == internet6) != six {
			return nil
		}
		matches := make([]string, len(r.set))
		for i, prefix := range r.set {
			matches[i] = " -d " + prefix.String()
		}
		return matches
	}
	return []string{""}
}

func (r rule) iptablesVerdict(table string, f family) string {
	switch {
	case r.verdict == accept: // the machine's other rules may have their say
		return "-j RETURN"
	case r.verdict == reject && table == "filter":
		return "-j REJECT --reject-with " + f.prohibited
	}
	return "-j DROP"
}

// sourceRules drop false source addresses, where iptables can tell them.
func sourceRules(bridge string, there []string) string {
	var out strings.Builder
	out.WriteString("*raw\n:FRAKTALIA-SOURCE - [0:0]\n-A FRAKTALIA-SOURCE -m rpfilter --invert -m comment --comment \"false source addresses\" -j DROP\n")
	out.WriteString(takeOut("raw", there))
	fmt.Fprintf(&out, "-I PREROUTING 1 -i %s -j FRAKTALIA-SOURCE\nCOMMIT\n", bridge)
	return out.String()
}

// takeOut removes the jumps of one table.
func takeOut(table string, there []string) string {
	var out strings.Builder
	for _, line := range there {
		if rest, ok := strings.CutPrefix(line, table+" -A "); ok && !strings.HasPrefix(rest, "FRAKTALIA-") {
			fmt.Fprintf(&out, "-D %s\n", rest)
		}
	}
	return out.String()
}

// Replace puts the policy in place of what is there.
func (t ipTables) Replace(ctx context.Context, p Policy) error {
	for _, f := range t.families {
		lines, err := f.lines(ctx)
		if err != nil {
			return err
		}
		if _, err := run(ctx, p.restore(f, withoutCounts(lines)), f.program, "--noflush", "--wait"); err != nil {
			return err
		}
	}
	return nil
}

// Remove takes everything of ours away; nothing there is no error.
func (t ipTables) Remove(ctx context.Context) error {
	for _, f := range t.families {
		if installed(f.save, "iptables") != nil {
			continue // nobody can have put any in
		}
		lines, err := f.lines(ctx)
		if err != nil || len(lines) == 0 {
			return err
		}
		var out strings.Builder
		for table, chains := range map[string][]string{"raw": {"SOURCE"}, "filter": {"OUT", "INTO", "HOST"}, "security": {"OUT", "INTO", "HOST"}} {
			fmt.Fprintf(&out, "*%s\n%s", table, takeOut(table, withoutCounts(lines)))
			for _, chain := range chains {
				fmt.Fprintf(&out, ":FRAKTALIA-%s - [0:0]\n-X FRAKTALIA-%[1]s\n", chain)
			}
			out.WriteString("COMMIT\n")
		}
		if _, err := run(ctx, out.String(), f.program, "--noflush", "--wait"); err != nil {
			return err
		}
	}
	return nil
}

// lines are our rules as iptables-save -c prints them, the table's name in
// front: "filter [1:60] -A FRAKTALIA-OUT ...". One more line says that other
// rules stand in front of ours.
func (f family) lines(ctx context.Context) (lines []string, err error) {
	text, err := run(ctx, "", f.save, "-c")
	if err != nil {
		return nil, err
	}
	table, before := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "-A FORWARD") && strings.Contains(line, "-j FRAKTALIA-OUT") && strings.Contains(before, "-A FORWARD") {
			lines = append(lines, table+" behind others")
		}
		before = line
		if name, ok := strings.CutPrefix(line, "*"); ok {
			table = name
		}
		if strings.HasPrefix(line, "[") && strings.Contains(line, "FRAKTALIA-") {
			lines = append(lines, table+" "+line)
		}
	}
	return lines, nil
}

const iptablesCount = `\[(\d+):(\d+)\] `

func withoutCounts(lines []string) []string {
	count := regexp.MustCompile(iptablesCount)
	plain := make([]string, len(lines))
	for i, line := range lines {
		plain[i] = count.ReplaceAllString(line, "")
	}
	return plain
}

// List is what is there. That rules of others stand in front of ours, as
// Docker's do when it has started, is part of it.
func (t ipTables) List(ctx context.Context) (Listing, error) {
	var all, plain []string
	var counters []Counter
	for _, f := range t.families {
		lines, err := f.lines(ctx)
		if err != nil {
			return Listing{}, err
		}
		all = append(append(all, "# "+f.program), lines...)
		plain = append(append(plain, "# "+f.program), withoutCounts(lines)...)
		counters = append(counters, iptablesCounters(lines)...)
	}
	if len(counters) == 0 {
		return Listing{}, nil
	}
	return Listing{Text: strings.Join(all, "\n") + "\n", Rules: strings.Join(plain, "\n"), Counters: summed(counters)}, nil
}

func iptablesCounters(lines []string) (counters []Counter) {
	line := regexp.MustCompile(`\[(\d+):(\d+)\] -A FRAKTALIA-(\S+) .*--comment (?:"([^"]*)"|(\S+))`)
	chains := map[string]string{"OUT": "out_of_sandbox", "INTO": "into_sandbox", "HOST": "to_host", "SOURCE": "out_of_sandbox"}
	for _, text := range lines {
		if found := line.FindStringSubmatch(text); found != nil {
			counters = append(counters, newCounter(chains[found[3]], found[4]+found[5], found[1], found[2]))
		}
	}
	return counters
}

// summed joins the counters of rules that are one to people.
func summed(counters []Counter) (list []Counter) {
	for _, c := range counters {
		i := slices.IndexFunc(list, func(have Counter) bool { return have.Chain == c.Chain && have.What == c.What })
		if i < 0 {
			list = append(list, c)
			continue
		}
		list[i].Packets += c.Packets
		list[i].Bytes += c.Bytes
	}
	return list
}
