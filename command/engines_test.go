package command

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// houses are engines by what is known of them; none is reached.
type houses struct{ hosts, living []string }

func (h houses) Home(agent string) (string, *sandbox.Engine) {
	if agent == "mox" {
		return "attic", nil
	}
	return "", nil
}
func (h houses) Engine(host string) (*sandbox.Engine, bool) {
	return nil, host == "" || slices.Contains(h.hosts, host)
}
func (h houses) Hosts() []string  { return h.hosts }
func (h houses) Living() []string { return h.living }

func TestWhereTheImageIsMeant(t *testing.T) {
	attic, both := []string{"attic"}, []string{"", "attic"}
	for name, test := range map[string]struct {
		houses
		on     string
		choice int
		want   string // "!" for a refusal
		asked  bool
	}{
		"no other host":            {houses{}, "", 0, "[]", false},
		"nobody lives anywhere":    {houses{hosts: attic}, "", 0, "[]", false},
		"all live here":            {houses{attic, []string{""}}, "", 0, "[]", false},
		"all live there":           {houses{attic, attic}, "", 0, "[attic]", false},
		"said by its name":         {houses{attic, both}, "attic", 0, "[attic]", false},
		"said by an agent":         {houses{attic, both}, "mox", 0, "[attic]", false},
		"said to be here":          {houses{attic, attic}, "here", 0, "[]", false},
		"a host of the name here":  {houses{[]string{"here"}, both}, "here", 0, "[here]", false},
		"no such host":             {houses{attic, both}, "cellar", 0, "!", false},
		"no such host, none known": {houses{}, "cellar", 0, "!", false},
		"chosen":                   {houses{attic, both}, "", 1, "[attic]", true},
		"chosen here":              {houses{attic, both}, "", 0, "[]", true},
		"chosen both":              {houses{attic, both}, "", 2, "[ attic]", true},
		"not chosen":               {houses{attic, both}, "", -1, "!", true},
	} {
		d := &desk{choice: test.choice}
		r := &run{Services: Services{Engines: test.houses}, talk: d}
		hosts, err := r.places(t.Context(), test.on, "Where?")
		got := "[" + strings.Join(hosts, " ") + "]"
		if err != nil {
			got = "!"
		}
		if got != test.want || (d.question != nil) != test.asked {
			t.Errorf("%s: %s, %v, asked %v; want %s", name, got, err, d.question != nil, test.want)
		}
	}
}

// What was done on one machine is told with what went wrong on the next.
func TestOneMachineDoesAndTheNextDoesNot(t *testing.T) {
	r := &run{Services: Services{Engines: houses{[]string{"attic"}, []string{"", "attic"}}}}
	_, err := r.everywhere([]string{"", "attic"}, func(r *run) (reply.Answer, error) {
		if r.host == "attic" {
			return reply.Answer{}, Sorry("No room.")
		}
		return reply.Answer{Doc: reply.Say("Built.")}, nil
	})
	var problem *Problem
	if !errors.As(err, &problem) || problem.Sentence != "No room." || !strings.Contains(problem.Detail.Text(), "On this machine:") || !strings.Contains(problem.Detail.Text(), "Built.") {
		t.Errorf("%v, %+v", err, problem)
	}
}

// What was built on one host says nothing of another's cache.
func TestBuildsOfAnotherHostAreNotThisOnes(t *testing.T) {
	r := &run{host: "attic"}
	here := r.buildsHere([]store.Build{{ID: 1}, {ID: 2, Engine: "attic"}})
	if len(here) != 1 || here[0].ID != 2 {
		t.Errorf("%+v", here)
	}
}
