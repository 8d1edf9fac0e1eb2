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

// Script is the policy as a script for nft that replaces the table in one
// transaction: there is no moment without rules.
func (p Policy) Script() string {
	var out strings.Builder
	fmt.Fprintf(&out, "table inet %s\ndelete table inet %[1]s\ntable inet %[1]s {\n", table)
	fmt.Fprintf(&out, "\tset closed4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { %s }\n\t}\n", joined(ofFamily(p.closed(), false)))
	fmt.Fprintf(&out, "\tset closed6 {\n\t\ttype ipv6_addr\n\t\tflags interval\n\t\telements = { %s }\n\t}\n", joined(ofFamily(p.closed(), true)))
	// Before Docker's own chains (priority 0), which may accept but cannot undo a refusal.
	fmt.Fprintf(&out, "\tchain forward {\n\t\ttype filter hook forward priority -10; policy accept;\n\t\tiifname %q jump out_of_sandbox\n\t\toifname %[1]q jump into_sandbox\n\t}\n", p.Bridge)
	fmt.Fprintf(&out, "\tchain input {\n\t\ttype filter hook input priority -10; policy accept;\n\t\tiifname %q jump to_host\n\t}\n", p.Bridge)
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

func joined(list []netip.Prefix) string {
	texts := make([]string, len(list))
	for i, prefix := range list {
		texts[i] = prefix.String()
	}
	return strings.Join(texts, ", ")
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
	case closed4:
		return "ip daddr @closed4 "
	case closed6:
		return "ip6 daddr @closed6 "
	}
	return ""
}

func (r rule) nftVerdict() string {
	return map[verdict]string{accept: "accept", reject: "reject with icmpx admin-prohibited", drop: "drop"}[r.verdict]
}

// Replace puts the policy in place of what is there.
func (n nft) Replace(ctx context.Context, p Policy) error {
	_, err := n.run(ctx, p.Script(), "-f", "-")
	return err
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
