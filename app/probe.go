package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/firewall"
	"github.com/githabideri/fraktalia/firewall/probe"
	"github.com/githabideri/fraktalia/sandbox"
)

const (
	// proberImage is the image of the containers that try.
	proberImage = "fraktalia-probe:latest"
	// proberLife is when one ends by itself, should its maker have been killed.
	proberLife = 10 * time.Minute
	// dialLimit bounds a try of this machine's own.
	dialLimit = 3 * time.Second
	// mostOthers bounds how many containers of other networks are tried.
	mostOthers = 4
)

// probeCommand is what runs inside the containers that try.
func (p *program) probeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "probe", Hidden: true, Args: unknownCommand}
	cmd.AddCommand(
		&cobra.Command{Use: "listen", Args: noWords, RunE: func(cmd *cobra.Command, _ []string) error {
			return probe.Listen(cmd.Context(), proberLife)
		}},
		&cobra.Command{Use: "ask", Args: noWords, RunE: func(cmd *cobra.Command, _ []string) error {
			return probe.Serve(cmd.Context(), p.stdin, p.stdout)
		}})
	return cmd
}

// prover tries from inside what a sandbox can reach.
type prover struct {
	config config.Firewall
	engine *sandbox.Engine
}

// noNetworkError says that there is no isolated network.
type noNetworkError struct{ Network string }

func (e *noNetworkError) Error() string { return "there is no network " + e.Network }

// prove starts two probes on the sandboxes' network, has the one try everything
// that should be closed, the other one among it, and judges.
func (v prover) prove(ctx context.Context) (report probe.Report, err error) {
	network, ok, err := v.engine.Network(ctx, v.config.Network)
	if err != nil {
		return report, err
	}
	if !ok || !network.Ours {
		return report, &noNetworkError{v.config.Network}
	}
	if err := v.importProber(ctx); err != nil {
		return report, err
	}
	var pair [2]sandbox.Prober
	for i := range pair {
		if pair[i], err = v.engine.StartProber(ctx, proberImage, network.Name, []string{probe.Program, "probe", "listen"}); err != nil {
			return report, err
		}
		defer v.engine.StopProber(ctx, pair[i])
	}
	scene, err := v.scene(ctx, network, pair[1])
	if err != nil {
		return report, err
	}
	expected := scene.Plan()
	seen, err := v.ask(ctx, pair[0], expected)
	if err != nil {
		return report, err
	}
	reachable := reachableFromHere(ctx, expected)
	report = probe.Report{At: time.Now(), Network: network.Name, Offline: len(reachable) == 0}
	reachable = append(reachable, probe.Itself())
	hosts := append(append([]netip.Addr{}, network.Gateways...), scene.Machine.Own...)
	report.Findings = append(probe.Judge(expected, seen, hosts, reachable), fromHere(ctx, pair[0].Addrs)...)
	return report, nil
}

// importProber makes the image of this very program.
func (v prover) importProber(ctx context.Context) error {
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the own program: %w", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the own program: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return fmt.Errorf("read the own program: %w", err)
	}
	digest := hex.EncodeToString(sum.Sum(nil)[:12])
	return v.engine.ImportProber(ctx, proberImage, digest, func(out io.Writer) error { return probe.WriteImage(out, path) })
}

// scene is the neighbourhood as this machine sees it.
func (v prover) scene(ctx context.Context, network sandbox.Network, sibling sandbox.Prober) (probe.Scene, error) {
	around, err := firewall.Surroundings(firewall.Bridge)
	if err != nil {
		return probe.Scene{}, err
	}
	scene := probe.Scene{Policy: policyOf(v.config, around), Machine: around, Gateways: network.Gateways, Siblings: sibling.Addrs}
	neighbours, err := v.engine.Neighbours(ctx)
	if err != nil {
		return probe.Scene{}, err
	}
	for name, addrs := range neighbours {
		if name != network.Name {
			scene.Others = append(scene.Others, addrs[:min(len(addrs), mostOthers)]...)
		}
	}
	scene.Others = scene.Others[:min(len(scene.Others), mostOthers)]
	for _, to := range v.config.Internet {
		scene.Internet = append(scene.Internet, to.AddrPort)
	}
	return scene, nil
}

// ask has a probe try.
func (v prover) ask(ctx context.Context, p sandbox.Prober, expected []probe.Expectation) (seen []probe.Seen, err error) {
	targets := make([]probe.Target, len(expected))
	for i, e := range expected {
		targets[i] = e.Target
	}
	input, err := json.Marshal(targets)
	if err != nil {
		return nil, fmt.Errorf("write the targets: %w", err)
	}
	output, err := v.engine.AskProber(ctx, p, []string{probe.Program, "probe", "ask"}, input)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(output, &seen); err != nil {
		return nil, fmt.Errorf("read what the probe saw: %w", err)
	}
	return seen, nil
}

// reachableFromHere are the controls in the internet that this machine reaches
// itself: only then it means something that a probe does not.
func reachableFromHere(ctx context.Context, expected []probe.Expectation) (list []probe.Target) {
	for _, e := range expected {
		if e.Want == probe.Control && !e.Addr.Addr().IsLoopback() && dials(ctx, e.Addr) {
			list = append(list, e.Target)
		}
	}
	return list
}

func dials(ctx context.Context, to netip.AddrPort) bool {
	dialer := net.Dialer{Timeout: dialLimit}
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// fromHere tries the other direction, which the forwards need.
func fromHere(ctx context.Context, addrs []netip.Addr) (findings []probe.Finding) {
	for _, addr := range addrs {
		f := probe.Finding{Want: probe.Control, Verdict: probe.Surprise,
			Seen: probe.Seen{Target: probe.Target{Name: "a sandbox, from this machine (forwards)", Protocol: "tcp", Addr: netip.AddrPortFrom(addr, probe.Port)}, How: probe.Silent}}
		if dials(ctx, f.Addr) {
			f.How, f.Verdict = probe.Open, probe.Right
		}
		findings = append(findings, f)
	}
	return findings
}
