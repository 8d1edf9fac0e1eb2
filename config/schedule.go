package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Schedule is how often something is done by itself: "" is never, "every 5m"
// each five minutes.
type Schedule string

// leastEvery is the shortest time between two runs.
const leastEvery = time.Minute

// Every is the time between two runs; 0 is never.
func (s Schedule) Every() time.Duration {
	every, err := time.ParseDuration(strings.TrimSpace(strings.TrimPrefix(string(s), "every ")))
	if err != nil {
		return 0
	}
	return every
}

// UnmarshalYAML reads "every 5m", or nothing.
func (s *Schedule) UnmarshalYAML(node *yaml.Node) error {
	*s = Schedule(node.Value)
	if node.Value != "" && (!strings.HasPrefix(node.Value, "every ") || s.Every() < leastEvery) {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no schedule such as \"every 5m\" (once a minute at most)", node.Line, node.Value)}}
	}
	return nil
}

// Answer is how long somebody may take to answer, such as "3m".
type Answer string

// An answer takes more than an instant, and is not waited for all day.
const (
	leastAnswer = time.Second
	mostAnswer  = time.Hour
)

// Duration is the time itself.
func (a Answer) Duration() time.Duration {
	d, _ := time.ParseDuration(string(a)) // it was read by UnmarshalYAML
	return d
}

// UnmarshalYAML reads a time such as "3m" or "90s"; "" is what it is without
// anybody saying.
func (a *Answer) UnmarshalYAML(node *yaml.Node) error {
	if node.Value == "" {
		return nil
	}
	*a = Answer(node.Value)
	if d, err := time.ParseDuration(node.Value); err != nil || d < leastAnswer || d > mostAnswer {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no time between 1s and 1h, such as \"3m\"", node.Line, node.Value)}}
	}
	return nil
}
