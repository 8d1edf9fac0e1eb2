package app

import (
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/firewall"
	"github.com/githabideri/fraktalia/sandbox"
)

// People read sentences that say what to do.
func TestWallProblems(t *testing.T) {
	for err, want := range map[error]string{
		&firewall.UnknownBackendError{Name: "ebpf"}:                        `Docker's firewall is "ebpf" here, which I do not know. Nothing was changed. I know nftables and iptables.`,
		&firewall.MissingProgramError{Program: "nft", Package: "nftables"}: "The program nft is needed and not installed. Install it: apt-get install nftables",
		&sandbox.EngineDownError{}:                                         "The Docker engine does not answer. Start it (systemctl start docker), and say this again.",
	} {
		if got := wallProblem(err); got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%T: %v", err, got)
		}
	}
}
