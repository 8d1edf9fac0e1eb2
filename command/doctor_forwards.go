package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/githabideri/fraktalia/forwarder"
)

// proveForwards connects to what is behind every forward.
func (r *run) proveForwards(ctx context.Context) Finding {
	found := r.healthOf(ctx, forwardsPart)
	if found.Mark == NotWell {
		return found
	}
	known, err := r.knownForwards(ctx)
	if err != nil {
		return notKnown("database")
	}
	list := r.Forwards.List()
	var silent, waiting []string
	var first forwarder.Key
	answering := 0
	for i, row := range r.rows(ctx, list, known) {
		switch s := list[i]; {
		case row.Way != "" || s.UDP && s.State == forwarder.Serving: // nobody can tell of datagrams
			answering++
		case s.State == forwarder.Serving || s.Err != nil && s.State != forwarder.Unknown:
			if len(silent) == 0 {
				first = s.Key()
			}
			silent = append(silent, fmt.Sprintf("%s: %s", s.Key(), row.Behind))
		default:
			waiting = append(waiting, fmt.Sprintf("%s: %s", s.Key(), row.Behind))
		}
	}
	switch {
	case len(silent) > 0:
		return Finding{NotWell, fmt.Sprintf("%d of %d do not answer. %s", len(silent), len(list), firstOf(silent)),
			fmt.Sprintf("start the service in the sandbox; %s closes the port", r.say(fmt.Sprintf("unforward %d", first.Port)))}
	case len(waiting) > 0:
		return Finding{Unsure, fmt.Sprintf("%d of %d cannot be tried. %s", len(waiting), len(list), firstOf(waiting)), r.say("forwards") + " tells more"}
	case len(list) == 0:
		return found
	}
	found.Fact = fmt.Sprintf("%d open, %d %s", len(list), answering, plural(answering, "answers", "answer"))
	return found
}

// firstOf are the first faults of a list.
func firstOf(list []string) string {
	if len(list) > mostFaults {
		return strings.Join(list[:mostFaults], "; ") + "; …"
	}
	return strings.Join(list, "; ")
}
