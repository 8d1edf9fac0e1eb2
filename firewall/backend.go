package firewall

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
)

// UnknownBackendError says that Docker's firewall is none that we know.
type UnknownBackendError struct{ Name string }

func (e *UnknownBackendError) Error() string { return "unknown firewall backend " + e.Name }

// MissingProgramError says that a backend's program is not installed.
type MissingProgramError struct{ Program, Package string }

func (e *MissingProgramError) Error() string { return "the program " + e.Program + " is not installed" }

// Choice is a backend, and why it is that one.
type Choice struct {
	Backend Backend
	// Docker is the one that Docker uses, in words: "iptables (nf_tables)".
	Docker string
}

// Choose finds the backend: the one that is configured ("nftables",
// "iptables"), else ("auto") the one that Docker uses. Docker's own word is
// "iptables" or "nftables"; "" where its engine does not answer.
//
// Docker's iptables are a front of nftables on all but old machines, and our
// table works beside theirs. Where they are the legacy ones, the kernel may
// have no nftables at all.
//
// Errors: *UnknownBackendError, *MissingProgramError.
func Choose(ctx context.Context, configured, docker string) (Choice, error) {
	if docker == "" {
		docker = dockerSetting("/etc/docker/daemon.json")
	}
	words := docker
	switch docker {
	case "nftables":
	case "iptables":
		words = "iptables (" + flavour(ctx) + ")"
	default:
		return Choice{}, &UnknownBackendError{docker}
	}
	legacy := configured == "iptables" || configured == "auto" && words == "iptables (legacy)"
	if legacy {
		return Choice{newIPTables(), words}, installed("iptables-restore", "iptables")
	}
	return Choice{nft{}, words}, installed("nft", "nftables")
}

// All are the backends, for who has to look in every place.
func All() []Backend { return []Backend{nft{}, newIPTables()} }

// flavour is what stands in brackets in "iptables v1.8.9 (nf_tables)".
func flavour(ctx context.Context) string {
	said, err := run(ctx, "", "iptables", "--version")
	if err != nil {
		return "not installed"
	}
	if strings.Contains(said, "(legacy)") || !strings.Contains(said, "(") { // before 1.8 there was no other
		return "legacy"
	}
	return "nf_tables"
}

// dockerSetting is what the engine will use when it starts.
func dockerSetting(path string) string {
	var settings struct {
		Backend string `json:"firewall-backend"`
	}
	if text, err := os.ReadFile(path); err == nil && json.Unmarshal(text, &settings) == nil && settings.Backend != "" {
		return settings.Backend
	}
	return "iptables"
}

func installed(name, pkg string) error {
	if _, err := exec.LookPath(program(name)); err != nil {
		return &MissingProgramError{name, pkg}
	}
	return nil
}
