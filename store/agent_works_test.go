package store

import (
	"path/filepath"
	"testing"
	"time"
)

// A work is what it was when it was last written down.
func TestAgentWorks(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begun := time.UnixMilli(1_700_000_000_000)
	var ids []int64
	for _, agent := range []string{"mox", "mix"} {
		id, err := s.BeginAgentWork(t.Context(), AgentWork{Kind: WorkAdd, Agent: agent, BegunBy: "@o:h", BegunAt: begun, Made: "{}"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := s.SaveAgentWork(t.Context(), ids[0], WorkDone, `{"room":"!r"}`); err != nil {
		t.Fatal(err)
	}
	open, err := s.AgentWorks(t.Context(), WorkBegun)
	if err != nil || len(open) != 1 || open[0].Agent != "mix" || !open[0].BegunAt.Equal(begun) {
		t.Errorf("%v %+v", err, open)
	}
	done, ok, err := s.AgentWork(t.Context(), ids[0])
	if err != nil || !ok || done.State != WorkDone || done.Made != `{"room":"!r"}` {
		t.Errorf("%v %v %+v", err, ok, done)
	}
	if _, ok, err := s.AgentWork(t.Context(), 99); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	if _, err := s.BeginAgentWork(t.Context(), AgentWork{Kind: "other"}); err == nil {
		t.Error("a work of no known kind was taken")
	}
}
