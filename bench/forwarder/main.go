// Command forwarder measures the project's forwarder beside its peers: the
// same work for each, in interleaved rounds, medians. It needs root (to start
// the peers as another user and to ask the engine for a container) and, from
// the distribution, docker.io, haproxy, nginx with its stream module, socat
// and python3. It prints one line a figure:
//
//	bench forwarder <metric> ours=<v> <peer>=<v> ratio=<ours/peer>
//
// With -faults it tries all of them for what forwarders get wrong, and prints
// the table of docs/forwarder.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/sandbox"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench forwarder:", err)
		os.Exit(1)
	}
}

func run() error {
	serving := flag.Int("serve", 0, "be the forwarder itself, on this port")
	to := flag.String("to", "", "with -serve: the service's address")
	rounds := flag.Int("rounds", 5, "rounds, of which the medians are printed")
	only := flag.String("only", "", "these peers only, with commas")
	follow := flag.String("follow", "", "with -serve: follow this agent's sandbox instead")
	faults := flag.Bool("faults", false, "try each for what forwarders get wrong, and print a table instead of figures")
	which := flag.String("fault", "", "with -faults: those only with this in their names")
	walled := flag.String("wall", "", "measure ours with the sandboxes' rules in and out: the `program` that puts them there; see bench/firewall")
	config := flag.String("config", "", "with -wall: its configuration")
	network := flag.String("network", "bridge", "of the service's container")
	works := flag.String("works", "bulk,connect,ping,idle,many,recreate", "these works only")
	ways := flag.Bool("ways", false, "measure the ways into a sandbox (direct, relay, ssh) instead, beside docker-proxy and OpenSSH")
	way := flag.String("way", "", "with -serve: relay or ssh instead of the direct way")
	where := flag.String("where", "", "with -way: the container's name; or user,address,key,known_hosts")
	table := flag.String("table", "", "with -faults: put the table into this `file`, where the last one was")
	flag.Parse()
	if *table != "" && *only+*which != "" {
		return errors.New("-table takes the whole table: leave out -only and -fault")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *serving != 0 {
		return serve(ctx, *serving, *to, *follow, *way, *where)
	}
	b, clean, err := prepare(*network)
	defer clean()
	if err != nil {
		return err
	}
	if *faults {
		return b.faults(ctx, *only, *which, *table)
	}
	if *ways {
		return b.ways(ctx, strings.Split(*works, ","), *rounds)
	}
	results := &results{}
	if *walled != "" {
		return b.wall(ctx, *walled, *config, strings.Split(*works, ","), *rounds, results)
	}
	chosen := slices.DeleteFunc(append([]peer{{name: direct}}, peers()...), func(p peer) bool {
		return *only != "" && !slices.Contains(strings.Split(*only+","+ours, ","), p.name)
	})
	for round := range *rounds {
		for i := range chosen { // another one begins each round
			p := chosen[(i+round)%len(chosen)]
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.measure(p, strings.Split(*works, ","), round, results); err != nil {
				fmt.Fprintf(os.Stderr, "round %d, %s: %v\n", round+1, p.name, err)
			}
		}
	}
	if slices.Contains(strings.Split(*works, ","), "recreate") {
		if err := b.recreate(ctx, *rounds, results); err != nil {
			return err
		}
	}
	results.print(os.Stdout, chosen)
	return nil
}

// serve is this project's forwarder with one forward.
func serve(ctx context.Context, port int, to, agent, way, where string) error {
	at, err := netip.ParseAddrPort(to)
	if err != nil {
		return err
	}
	log := quiet()
	dialer, box, err := wayOptions(way, where, at.Addr())
	if err != nil {
		return err
	}
	options := forwarder.Options{Log: log}
	if dialer != nil {
		options.Dialers = []forwarder.Dialer{dialer}
	}
	f := forwarder.New(options)
	f.SetSandboxes(nil)
	f.SetHost(box.Host, []forwarder.Sandbox{box})
	if agent != "" {
		engine, err := sandbox.Connect("")
		if err != nil {
			return err
		}
		go sandbox.NewWatcher(engine, log, feed(f, agent)).Run(ctx) // ends with this process
	}
	if err := f.Open(forwarder.Spec{Port: port, To: int(at.Port()), Bind: forwarder.Loopback}); err != nil {
		return err
	}
	return f.Run(ctx)
}

// quiet is a log that nobody reads.
func quiet() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
}

// measure does the works of one round with one peer.
func (b *bench) measure(p peer, works []string, round int, out *results) error {
	r, err := b.start(p)
	if err != nil {
		return err
	}
	defer r.stop()
	for _, work := range works {
		if err := measureOne(r, p.name, work, round, out); err != nil {
			return fmt.Errorf("%s: %w", work, err)
		}
	}
	return nil
}

func measureOne(r *running, name, work string, round int, out *results) error {
	switch work {
	case "bulk":
		for _, streams := range []int{1, 16} {
			if err := measureBulk(r, name, fmt.Sprintf("bulk-%d", streams), streams, out); err != nil {
				return err
			}
		}
	case "connect":
		rate, err := connects(r)
		out.add("connect/s", name, rate)
		return err
	case "ping":
		p50, p99, err := pings(r)
		out.add("ping-p50-us", name, p50)
		out.add("ping-p99-us", name, p99)
		return err
	case "idle":
		return measureIdle(r, name, 1000, "1000", out)
	case "many":
		if round > 0 || name == "asyncio" || name == "socat" {
			return nil // once, and not where each connection takes a process
		}
		return measureIdle(r, name, 9000, "9000", out)
	}
	return nil
}

func measureBulk(r *running, name, metric string, streams int, out *results) error {
	rate, cpu, err := bulk(r, streams)
	if err != nil {
		return err
	}
	out.add(metric+"-Gbit/s", name, rate)
	if r.cmd != nil {
		out.add(metric+"-cpu-s/GB", name, cpu)
	}
	return nil
}

// measureIdle opens idle connections, takes their cost, and measures a
// download beside them.
func measureIdle(r *running, name string, many int, metric string, out *results) error {
	if r.cmd == nil || name == "asyncio" || name == "socat" {
		return nil // a process or a thread for each: minutes
	}
	conns, kib, files, err := idle(r, many)
	defer closeAll(conns)
	if err != nil {
		return err
	}
	out.add("idle-"+metric+"-KiB", name, kib)
	out.add("idle-"+metric+"-descriptors", name, files)
	return measureBulk(r, name, "bulk-16-beside-"+metric, 16, out)
}
