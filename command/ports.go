package command

import (
	"fmt"
	"strconv"
	"strings"
)

// ports reads words such as "9005" and "9010-9012". Every port is named once,
// in the order given; allowed says which words are ports.
func (r *run) ports(words []string, allowed func(word string, first, last int) error) ([]int, error) {
	var list []int
	seen := map[int]bool{}
	for _, word := range words {
		first, last, err := r.portRange(word)
		if err != nil {
			return nil, err
		}
		if err := allowed(word, first, last); err != nil {
			return nil, err
		}
		for port := first; port <= last; port++ {
			if !seen[port] {
				list = append(list, port)
			}
			seen[port] = true
		}
	}
	return list, nil
}

func (r *run) portRange(word string) (first, last int, err error) {
	from, to, isRange := strings.Cut(word, "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	switch {
	case err1 != nil || err2 != nil:
		return 0, 0, Sorry("%.40q is no port: say a number such as %d, or a range such as %d-%d.",
			word, r.Settings.FirstPort, r.Settings.FirstPort, r.Settings.FirstPort+9)
	case first > last:
		return 0, 0, Sorry("%s runs backwards: say %d-%d.", word, last, first)
	}
	return first, last, nil
}

// forwardable wants ports of the range that may be forwarded.
func (r *run) forwardable(word string, first, last int) error {
	if first < r.Settings.FirstPort || last > r.Settings.LastPort {
		return Sorry("I forward the ports %d to %d only; %s is outside. The range is set by forwards.range in fraktalia.yaml.",
			r.Settings.FirstPort, r.Settings.LastPort, word)
	}
	return nil
}

// anyPort wants ports that there are at all: what was opened before the range
// was narrowed can still be closed.
func anyPort(word string, first, last int) error {
	if first < 1 || last > 65535 {
		return Sorry("%s is no port: ports are the numbers from 1 to 65535.", word)
	}
	return nil
}

// join names ports in few words, as they can be typed: three and more in a
// row are a range.
func join(ports []int) string {
	var words []string
	for i := 0; i < len(ports); {
		next := i + 1
		for next < len(ports) && ports[next] == ports[next-1]+1 {
			next++
		}
		if next-i > 2 {
			words = append(words, fmt.Sprintf("%d-%d", ports[i], ports[next-1]))
			i = next
			continue
		}
		words = append(words, strconv.Itoa(ports[i]))
		i++
	}
	return strings.Join(words, " ")
}
