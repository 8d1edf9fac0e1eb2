package firewall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
)

// table is the whole of what is ours in nftables.
const table = "fraktalia"

// nft puts the rules in through the program nft: a script is one transaction of
// the kernel, and an owner can read it, which is worth more here than the
// program that a netlink library would save.
type nft struct{}

func (nft) Name() string { return "nftables" }

// Script is the policy as a script for nft: one transaction. It puts new rules
// into the chains that are there. To delete the table and make it anew would be
// one transaction, too, but for a moment both tables' hooks are in the packets'
// way: one that passes the new one before the change and the old one after it
// meets no rule at all (2 of 20,000 did, in the tests).
func (p Policy) Script() string {
	var out strings.Builder
	fmt.Fprintf(&out, "add table inet %s\n", table)
	// Before Docker's own chains (priority 0), which may accept but cannot undo a refusal.
	for _, hook := range []string{"forward", "input"} {
		fmt.Fprintf(&out, "add chain inet %s %s { type filter hook %[2]s priority -10; policy accept; }\n", table, hook)
	}
	for _, c := range p.chains() {
		fmt.Fprintf(&out, "add chain inet %s %s\n", table, c.name)
	}
	for _, set := range []string{"internet4 { type ipv4_addr; flags interval; }", "internet6 { type ipv6_addr; flags interval; }"} {
		fmt.Fprintf(&out, "add set inet %s %s\nflush set inet %[1]s %.9[2]s\n", table, set)
	}
	fmt.Fprintf(&out, "flush table inet %s\ntable inet %[1]s {\n", table)
	fmt.Fprintf(&out, "\tset internet4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n%s\t}\n", elements(p.internet(false)))
	fmt.Fprintf(&out, "\tset internet6 {\n\t\ttype ipv6_addr\n\t\tflags interval\n%s\t}\n", elements(p.internet(true)))
	fmt.Fprintf(&out, "\tchain forward {\n\t\tiifname %q jump out_of_sandbox\n\t\toifname %[1]q jump into_sandbox\n\t}\n", p.Bridge)
	fmt.Fprintf(&out, "\tchain input {\n\t\tiifname %q jump to_host\n\t}\n", p.Bridge)
	for _, c := range p.chains() {
		fmt.Fprintf(&out, "\tchain %s {\n", c.name)
		for _, r := range c.rules {
			fmt.Fprintf(&out, "\t\t%scounter %s comment %q\n", r.nftMatch(), r.nftVerdict(), r.what)
		}
		out.WriteString("\t}\n")
	}
	out.WriteString("}\n")
	return out.String()
}

// elements is the line of a set's ranges. There is none where nothing is left of
// the internet: an empty list is no syntax, and without rules all would be open.
func elements(list []netip.Prefix) string {
	if len(list) == 0 {
		return ""
	}
	texts := make([]string, len(list))
	for i, prefix := range list {
		texts[i] = prefix.String()
	}
	return "\t\telements = { " + strings.Join(texts, ", ") + " }\n"
}

func (r rule) nftMatch() string {
	switch r.kind {
	case answers:
		return "ct state established,related ct direction reply "
	case forged:
		return "fib saddr . iif oif missing "
	case neighbours: // a hop limit of 255 says that no router passed it on
		return "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 "
	case opened:
		family := "ip"
		if r.opening.Prefix.Addr().Is6() {
			family = "ip6"
		}
		return fmt.Sprintf("%s daddr %s %s dport %s ", family, r.opening.Prefix, r.opening.Protocol, r.opening.ports())
	case internet4:
		return "ip daddr @internet4 "
	case internet6:
		return "ip6 daddr @internet6 "
	}
	return ""
}

func (r rule) nftVerdict() string {
	return map[verdict]string{accept: "accept", reject: "reject with icmpx admin-prohibited", drop: "drop"}[r.verdict]
}

// Replace puts the policy in place of what is there. A table in which somebody
// else has put more than rules is made anew.
func (n nft) Replace(ctx context.Context, p Policy) error {
	if _, err := n.run(ctx, p.Script(), "-f", "-"); err == nil {
		if there, err := n.List(ctx); err != nil || p.built(there.Text) {
			return err
		}
	}
	_, err := n.run(ctx, fmt.Sprintf("add table inet %s\ndelete table inet %[1]s\n", table)+p.Script(), "-f", "-")
	return err
}

// built says whether the table of a list has the chains and sets that it should
// have, and no others.
func (p Policy) built(list string) bool {
	want := map[string]bool{
		"type filter hook forward priority filter - 10; policy accept;": true, "type filter hook input priority filter - 10; policy accept;": true,
		"set internet4 {": true, "set internet6 {": true, "chain forward {": true, "chain input {": true,
	}
	for _, c := range p.chains() {
		want["chain "+c.name+" {"] = true
	}
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		for _, begin := range []string{"type filter ", "type nat ", "type route ", "set ", "map ", "chain ", "flowtable "} {
			if !strings.HasPrefix(line, begin) {
				continue
			}
			if !want[line] {
				return false
			}
			delete(want, line)
		}
	}
	return len(want) == 0
}

// Remove takes everything of ours away; nothing there is no error.
func (n nft) Remove(ctx context.Context) error {
	_, err := n.run(ctx, fmt.Sprintf("table inet %s\ndelete table inet %[1]s\n", table), "-f", "-")
	return err
}

// List is the table as the kernel has it.
func (n nft) List(ctx context.Context) (Listing, error) {
	text, err := n.run(ctx, "", "list", "table", "inet", table)
	var failed *CommandError
	if errors.As(err, &failed) && strings.Contains(failed.Said, "No such file or directory") {
		return Listing{}, nil
	}
	if err != nil {
		return Listing{}, err
	}
	return Listing{Text: text, Rules: nftMeaning(text), Counters: nftCounters(text)}, nil
}

const nftCounts = `counter packets (\d+) bytes (\d+)`

// nftMeaning is a list without what packets change.
func nftMeaning(text string) string {
	return regexp.MustCompile(nftCounts).ReplaceAllString(text, "counter")
}

func nftCounters(text string) (counters []Counter) {
	line := regexp.MustCompile(nftCounts + `.* comment "(.*)"`)
	chain := ""
	for part := range strings.Lines(text) {
		fields := strings.Fields(part)
		if len(fields) > 1 && fields[0] == "chain" {
			chain = fields[1]
		}
		if found := line.FindStringSubmatch(part); found != nil {
			counters = append(counters, newCounter(chain, found[3], found[1], found[2]))
		}
	}
	return counters
}

func (nft) run(ctx context.Context, input string, args ...string) (string, error) {
	return run(ctx, input, "nft", args...)
}

// CommandError is a program's failure with what it said.
type CommandError struct {
	Command string
	Said    string
	Err     error
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("%s: %v: %s", e.Command, e.Err, strings.TrimSpace(e.Said))
}

func (e *CommandError) Unwrap() error { return e.Err }

// run runs a program with input and returns what it prints.
func run(ctx context.Context, input, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program(name), args...)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &said
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		return "", &CommandError{Command: name + " " + strings.Join(args, " "), Said: said.String(), Err: err}
	}
	return out.String(), nil
}

// program is where a program of root's is: those folders may be missing in
// other people's PATH.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, folder := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(folder + "/" + name); err == nil {
			return path
		}
	}
	return name
}
