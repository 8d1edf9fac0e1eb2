package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/relay"
	"github.com/githabideri/fraktalia/remote"
	"github.com/githabideri/fraktalia/remote/remotetest"
	"github.com/githabideri/fraktalia/sandbox"
)

// The ways into a sandbox beside the direct one, and OpenSSH's own forwarder.
const (
	byRelay = "relay"
	bySSH   = "ssh"
	openSSH = "openssh"
)

// wayPeers are all ways, beside docker-proxy and OpenSSH. Another host is a
// network namespace with an ssh server, which has the service, too.
func wayPeers(m *remotetest.Machine) []peer {
	far := []string{m.User, m.Address, m.KeyFile, m.KnownHosts}
	self := func(way, where string) func(b *bench, port int) (*exec.Cmd, error) {
		return func(b *bench, port int) (*exec.Cmd, error) {
			return exec.Command(b.self, "-serve", strconv.Itoa(port), "-to", b.address(), "-way", way, "-where", where), nil
		}
	}
	return []peer{
		{name: ours, graceful: syscall.SIGTERM, command: self("", "")},
		{name: byRelay, root: true, graceful: syscall.SIGTERM, command: func(b *bench, port int) (*exec.Cmd, error) { return self(byRelay, b.label)(b, port) }},
		{name: bySSH, root: true, graceful: syscall.SIGTERM, command: self(bySSH, strings.Join(far, ","))},
		{name: openSSH, root: true, graceful: syscall.SIGTERM, command: func(b *bench, port int) (*exec.Cmd, error) {
			host, sshPort, err := net.SplitHostPort(m.Address)
			return exec.Command("ssh", "-N", "-F", "none", "-i", m.KeyFile, "-o", "UserKnownHostsFile="+m.KnownHosts, "-p", sshPort,
				"-L", fmt.Sprintf("%s:127.0.0.1:%d", b.at(port), targetPort), m.User+"@"+host), err
		}},
		{name: "docker-proxy", root: true, graceful: syscall.SIGTERM, command: dockerProxy},
	}
}

// ways measures the ways in turns, and prints each beside docker-proxy, and ssh
// beside OpenSSH.
func (b *bench) ways(ctx context.Context, works []string, rounds int) error {
	m, err := remotetest.Start()
	if err != nil {
		return err
	}
	defer m.Stop()
	if err := m.Run(filepath.Join(b.folder, "target"), fmt.Sprintf(":%d", targetPort), fmt.Sprintf(":%d", webPort)); err != nil {
		return err
	}
	all, out := wayPeers(m), &results{}
	for round := range rounds {
		for i := range all {
			p := all[(i+round)%len(all)]
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.measure(p, works, round, out); err != nil {
				fmt.Fprintf(os.Stderr, "round %d, %s: %v\n", round+1, p.name, err)
			}
		}
	}
	out.printWays(os.Stdout, [][2]string{{ours, "docker-proxy"}, {byRelay, "docker-proxy"}, {bySSH, "docker-proxy"}, {bySSH, openSSH}})
	return nil
}

// printWays prints pairs of a way and a peer.
func (r *results) printWays(w io.Writer, pairs [][2]string) {
	for _, metric := range r.metrics {
		for _, pair := range pairs {
			mine, ok := median(r.figures[metric][pair[0]])
			theirs, ok2 := median(r.figures[metric][pair[1]])
			if way := strings.Replace(pair[0], ours, direct, 1); ok && ok2 {
				fmt.Fprintf(w, "bench forwarder way=%s %s ours=%.4g %s=%.4g ratio=%.3g\n", way, metric, mine, pair[1], theirs, mine/theirs)
			}
		}
	}
}

// wayOptions are a forwarder's, and its sandbox, by a way.
func wayOptions(way, where string, at netip.Addr) (forwarder.Dialer, forwarder.Sandbox, error) {
	box := forwarder.Sandbox{ID: "target", Name: "target", Agent: "mox", Addrs: []netip.Addr{at}}
	switch way {
	case byRelay:
		engine, err := sandbox.Connect("")
		box.ID, box.Addrs = where, nil
		return &relayWay{engine: engine, pool: relay.NewPool()}, box, err
	case bySSH:
		words := strings.Split(where, ",")
		if len(words) != 4 {
			return nil, box, errors.New("-where takes user,address,key,known_hosts")
		}
		box.Host, box.Addrs = "far", []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
		return sshWay{remote.New(remote.Options{Name: "far", User: words[0], Address: words[1], KeyFile: words[2], KnownHosts: words[3], Log: quiet()})}, box, nil
	}
	return nil, box, nil
}

// relayWay and sshWay are the program's dialers without its book-keeping.
type relayWay struct {
	engine *sandbox.Engine
	pool   *relay.Pool
}

func (*relayWay) Way() string { return byRelay }

func (r *relayWay) Dial(ctx context.Context, box forwarder.Sandbox, port int) (net.Conn, error) {
	conn, err := r.pool.Dial(ctx, box.ID, func(ctx context.Context) (relay.Link, error) {
		process, err := r.engine.StartExec(ctx, box.ID, sandbox.Command{Args: []string{relay.Program}})
		if err != nil {
			return nil, err
		}
		return relayLink{process}, nil
	}, port)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

type relayLink struct{ *sandbox.Process }

func (relayLink) Missing() bool { return false } // the target's image has it

type sshWay struct{ host *remote.Host }

func (sshWay) Way() string { return bySSH }

func (s sshWay) Dial(ctx context.Context, box forwarder.Sandbox, port int) (net.Conn, error) {
	return s.host.Dial(ctx, netip.AddrPortFrom(box.Addrs[0], uint16(port)))
}
