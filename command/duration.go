package command

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	day         = 24 * time.Hour
	shortLease  = time.Minute
	longestTime = 366 * day
)

// onePart is a number with its unit, as people write them.
var onePart = regexp.MustCompile(`^(\d{1,6}) ?(minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w) ?`)

// readTime reads "90m", "2h", "1h30m", "3d" or "2 weeks".
func readTime(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': day, 'w': 7 * day}
	var sum time.Duration
	rest := text
	for rest != "" {
		part := onePart.FindStringSubmatch(rest)
		if part == nil {
			return 0, Sorry("%.40q is no time: say for example 90m, 2h or 3d.", text)
		}
		n, err := strconv.Atoi(part[1])
		if err != nil {
			return 0, Because(err, "%.40q is no time: say for example 90m, 2h or 3d.", text)
		}
		sum += time.Duration(n) * units[part[2][0]]
		rest = rest[len(part[0]):]
	}
	if sum < shortLease || sum > longestTime {
		return 0, Sorry("%.40q is no time that I take: between a minute and a year it may be.", text)
	}
	return sum, nil
}

// lasting says how long something takes, in two words or four.
func lasting(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < 2*day:
		d = d.Round(time.Minute)
	default:
		d = d.Round(time.Hour)
	}
	var words []string
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if unit.of == day && d < 2*day && d%day != 0 {
			continue // 26 hours
		}
		if n := int(d / unit.of); n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, plural(n, unit.name, unit.name+"s")))
			d -= time.Duration(n) * unit.of
		}
	}
	return strings.Join(words[:min(len(words), 2)], " ")
}

// clock is the time of day of at, with the date where it is another day's.
func clock(at, now time.Time) string {
	at, now = at.Local(), now.Local()
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04")
	}
	return at.Format("Mon 2 Jan 15:04")
}

// shortTime writes a time as people type it.
func shortTime(d time.Duration) string {
	switch {
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}
