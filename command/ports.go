package command

import (
	"strconv"
	"strings"
)

// ports reads words such as "9005" and "9010-9012" against the range that may
// be forwarded. Every port is named once, in the order given.
func (r *run) ports(words []string) ([]int, error) {
	var list []int
	seen := map[int]bool{}
	for _, word := range words {
		first, last, err := r.portRange(word)
		if err != nil {
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
	case first < r.Settings.FirstPort || last > r.Settings.LastPort:
		return 0, 0, Sorry("I forward the ports %d to %d only; %s is outside. The range is set by forwards.range in fraktalia.yaml.",
			r.Settings.FirstPort, r.Settings.LastPort, word)
	}
	return first, last, nil
}
