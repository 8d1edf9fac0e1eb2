package app

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"syscall"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/metrics"
	"github.com/githabideri/fraktalia/procnet"
)

// tellMetrics makes the server of the counts, nil where none is asked for.
func (d *deployment) tellMetrics() *metrics.Server {
	if d.config.Metrics.Listen == "" {
		return nil
	}
	return metrics.New(d.config.Metrics.Listen, d.gather, d.log.WithField("part", "metrics"))
}

// gather looks at everything that is counted.
func (d *deployment) gather() []metrics.Family {
	return append([]metrics.Family{
		{Name: "fraktalia_build_info", Help: "Always 1; the label is the program's version.", Kind: metrics.Gauge,
			Samples: []metrics.Sample{{Labels: []string{"version", d.version}, Value: 1}}},
		{Name: "fraktalia_start_time_seconds", Help: "When the program was started, in seconds since 1970.", Kind: metrics.Gauge,
			Samples: []metrics.Sample{{Value: float64(d.started.UnixMilli()) / 1000}}},
		{Name: "fraktalia_forward_connections_limit", Help: "How many connections may be open at once, as far as descriptors go.", Kind: metrics.Gauge,
			Samples: []metrics.Sample{{Value: float64(d.ports.Limit())}}},
	}, forwardFamilies(d.ports.List())...)
}

// forwardFamilies are the counts of the forwards that are open. A forward that
// is closed takes its own along; one that is opened begins with zero.
func forwardFamilies(list []forwarder.Status) []metrics.Family {
	forwards := metrics.Family{Name: "fraktalia_forwards", Help: "Forwards by how they stand.", Kind: metrics.Gauge}
	open := metrics.Family{Name: "fraktalia_forward_connections_open", Help: "Connections now; with UDP, clients heard of lately.", Kind: metrics.Gauge}
	total := metrics.Family{Name: "fraktalia_forward_connections_total", Help: "Connections that were taken; with UDP, clients.", Kind: metrics.Counter}
	bytes := metrics.Family{Name: "fraktalia_forward_bytes_total", Help: "Bytes to sandboxes (in) and from them (out).", Kind: metrics.Counter}
	datagrams := metrics.Family{Name: "fraktalia_forward_datagrams_total", Help: "Datagrams to sandboxes (in) and from them (out).", Kind: metrics.Counter}
	dials := metrics.Family{Name: "fraktalia_forward_dials_total", Help: "Connections made to sandboxes, by way.", Kind: metrics.Counter}
	failures := metrics.Family{Name: "fraktalia_forward_errors_total", Help: "Connections that got nothing or were cut, by kind; with UDP, runs of datagrams.", Kind: metrics.Counter}
	states := map[forwarder.State]int{}
	for _, s := range list {
		states[s.State]++
		labels := labelsOf(s)
		open.Add(float64(s.Open), labels)
		total.Add(float64(s.Total), labels)
		bytes.Add(float64(s.In), labels, "direction", "in")
		bytes.Add(float64(s.Out), labels, "direction", "out")
		if s.UDP {
			datagrams.Add(float64(s.DatagramsIn), labels, "direction", "in")
			datagrams.Add(float64(s.DatagramsOut), labels, "direction", "out")
		} else {
			for _, way := range slices.Sorted(maps.Keys(s.Reached)) {
				dials.Add(float64(s.Reached[way]), labels, "way", way)
			}
		}
		for kind, count := range s.Failures {
			failures.Add(float64(count), labels, "kind", forwarder.Failure(kind).String())
		}
	}
	for state := forwarder.Serving; state <= forwarder.Held; state++ {
		forwards.Add(float64(states[state]), nil, "state", state.String())
	}
	return []metrics.Family{forwards, open, total, bytes, datagrams, dials, failures}
}

func labelsOf(s forwarder.Status) []string {
	protocol := "tcp"
	if s.UDP {
		protocol = "udp"
	}
	return []string{"port", strconv.Itoa(s.Port), "protocol", protocol, "agent", s.Agent}
}

// metricsHealth is the line of !status.
func (d *deployment) metricsHealth(context.Context) command.Finding {
	address := d.config.Metrics.Listen
	err := d.metrics.Failure()
	if err == nil {
		return well("http://%s/metrics", address)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		taken := "another program"
		if at, err := netip.ParseAddrPort(address); err == nil {
			if holder, ok := procnet.Holder(int(at.Port())); ok {
				taken = holder.String()
			}
		}
		return notWell("stop it, or name another address in metrics.listen", "%s is taken by %s", address, taken)
	}
	d.log.WithError(err).Info("status: metrics")
	return notWell("name another address in metrics.listen; the log says more", "cannot listen on %s", address)
}
