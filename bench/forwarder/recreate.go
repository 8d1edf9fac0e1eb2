package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/sandbox"
)

// pollEvery is how often a new container is asked whether it answers.
const pollEvery = 500 * time.Microsecond

// recreate removes a sandbox and makes a new one, again and again, and
// measures when the service first answers at the container's own address and
// when through the forward, in milliseconds after the removal.
func (b *bench) recreate(ctx context.Context, rounds int, out *results) error {
	ctx, cancel := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	defer group.Wait()
	defer cancel()
	name := b.label + "-sandbox"
	// A network of its own: on the default one others take the address.
	if _, err := command("docker", "network", "create", name); err != nil {
		return err
	}
	defer exec.Command("docker", "network", "rm", name).Run()
	defer exec.Command("docker", "rm", "-f", name).Run()
	through, err := b.follow(ctx, group, name)
	if err != nil {
		return err
	}
	at, err := b.runSandbox(name)
	if err != nil {
		return err
	}
	for range rounds {
		if _, err := command("docker", "rm", "-f", name); err != nil {
			return err
		}
		began := time.Now()
		straight, forwarded := answered(ctx, at), answered(ctx, through)
		again, err := b.runSandbox(name)
		if err != nil {
			return err
		}
		if again != at {
			at = again // somebody else took the address: this round says nothing
			continue
		}
		out.add("recreate-ms", direct, (<-straight).Sub(began).Seconds()*1e3)
		out.add("recreate-ms", ours, (<-forwarded).Sub(began).Seconds()*1e3)
	}
	return nil
}

// runSandbox starts the service in a container with OpenClaw's labels and
// returns its address, which the engine gives again once it is free.
func (b *bench) runSandbox(name string) (string, error) {
	if _, err := command("docker", "run", "-d", "--name", name, "--network", name, "--label", "openclaw.sandbox=1",
		"--label", "openclaw.sessionKey=agent:"+name+":workspace:00", b.label, "/target", fmt.Sprintf(":%d", targetPort)); err != nil {
		return "", err
	}
	addr, err := command("docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
	return fmt.Sprintf("%s:%d", addr, targetPort), err
}

// follow runs a forwarder that the engine's events feed, and returns where
// it listens.
func (b *bench) follow(ctx context.Context, group *errgroup.Group, agent string) (string, error) {
	engine, err := sandbox.Connect("")
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	f := forwarder.New(forwarder.Options{Log: logrus.NewEntry(log), Drain: time.Millisecond})
	watcher := sandbox.NewWatcher(engine, logrus.NewEntry(log), feed(f, agent))
	group.Go(func() error { return watcher.Run(ctx) })
	group.Go(func() error { return f.Run(ctx) })
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
	return at.String(), f.Open(forwarder.Spec{Port: port, To: targetPort, Agent: agent, Bind: forwarder.Loopback})
}

// feed tells a forwarder what the engine says of one agent's sandboxes.
func feed(f *forwarder.Forwarder, agent string) func(sandbox.Snapshot) {
	return func(s sandbox.Snapshot) {
		if !s.Known {
			f.SetUnknown(s.Err)
			return
		}
		var boxes []forwarder.Sandbox
		for _, c := range s.Containers {
			if c.Running() && c.Agent == agent {
				boxes = append(boxes, forwarder.Sandbox{ID: c.ID, Name: c.Name, Agent: c.Agent, Addrs: c.Addrs, Started: c.Started})
			}
		}
		f.SetSandboxes(boxes)
	}
}

// answered asks until somebody answers, and says when that was.
func answered(ctx context.Context, addr string) <-chan time.Time {
	when := make(chan time.Time, 1)
	go func() {
		for ctx.Err() == nil && !quick(addr) {
			time.Sleep(pollEvery)
		}
		when <- time.Now()
	}()
	return when
}

// quick is a call that does not wait for an address that nobody has.
func quick(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Millisecond)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("o")); err != nil {
		return false
	}
	n, _ := conn.Read(make([]byte, 1))
	return n == 1
}
