package probe

import (
	"net/netip"
	"slices"
	"time"
)

// Want is what is expected of a target.
type Want string

// What can be expected.
const (
	Closed  Want = "closed"
	Allowed Want = "allowed" // the owner lets it through; whether anybody listens is another matter
	Control Want = "open"    // has to be reached, or nothing is proved
)

// Verdict is what is to be thought of what was seen.
type Verdict string

// Verdicts.
const (
	Right    Verdict = "right"
	Surprise Verdict = "surprise"
	Unproven Verdict = "unproven" // it says nothing, as the internet with the cable out
)

// Expectation is a target with what is expected of it.
type Expectation struct {
	Target
	Want Want `json:"want"`
	// Live says that somebody is known to listen there.
	Live bool `json:"live,omitempty"`
}

// Finding is one target, judged.
type Finding struct {
	Seen
	Want    Want    `json:"want"`
	Verdict Verdict `json:"verdict"`
}

// Report is one look at the whole.
type Report struct {
	At       time.Time `json:"at"`
	Network  string    `json:"network"`
	Findings []Finding `json:"findings"`
	// Offline says that this machine itself does not reach the internet.
	Offline bool `json:"offline"`
}

// Surprises are the findings that are not as they should be.
func (r Report) Surprises() (list []Finding) {
	for _, f := range r.Findings {
		if f.Verdict == Surprise {
			list = append(list, f)
		}
	}
	return list
}

// Judge compares what was expected with what was seen. Hosts are this machine's
// addresses, which alone may be the ones that refuse; reachable are those
// controls that this machine reaches itself.
func Judge(expected []Expectation, seen []Seen, hosts []netip.Addr, reachable []Target) []Finding {
	findings := make([]Finding, len(expected))
	for i, e := range expected {
		f := Finding{Seen: Seen{Target: e.Target, How: Silent, Err: "was not tried"}, Want: e.Want, Verdict: Surprise}
		if at := slices.IndexFunc(seen, func(s Seen) bool { return s.Target == e.Target }); at >= 0 {
			f.Seen = seen[at]
			f.Verdict = judge(f.Seen, e, slices.Contains(hosts, f.By), slices.Contains(reachable, e.Target))
		}
		findings[i] = f
	}
	return findings
}

func judge(seen Seen, e Expectation, ours, reachable bool) Verdict {
	switch e.Want {
	case Closed:
		return closed(seen, e.Live, ours)
	case Allowed:
		switch {
		case seen.How == Open || seen.How == Refused:
			return Right
		case seen.How == Prohibited && ours:
			return Surprise
		}
		return Unproven
	}
	switch {
	case seen.How == Open:
		return Right
	case reachable:
		return Surprise
	}
	return Unproven
}

// closed judges what must not be reached. That nobody answered proves nothing
// unless somebody was there to answer: then it is as good as a refusal.
func closed(seen Seen, live, ours bool) Verdict {
	switch seen.How {
	case Open, Refused:
		return Surprise
	case NoRoute:
		if ours || !seen.By.IsValid() {
			return Right // it did not leave this machine
		}
	case Prohibited:
		if ours {
			return Right
		}
	}
	if live {
		return Right
	}
	return Surprise
}
