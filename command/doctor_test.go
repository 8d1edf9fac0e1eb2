package command

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/reply"
)

func found(mark Mark, fact, todo string) func(context.Context) Finding {
	return func(context.Context) Finding { return Finding{mark, fact, todo} }
}

func TestADoctorShowsWhatIsKnownSoFar(t *testing.T) {
	first := make(chan struct{})
	var shown []string
	var mu sync.Mutex
	answer := Examine(context.Background(), []Check{
		{Part: "late", Look: func(context.Context) Finding { <-first; return Finding{Mark: Well, Fact: "comes late"} }},
		{Part: "early", Look: found(Unsure, "is early", "wait")},
	}, false, func(doc reply.Doc) {
		mu.Lock()
		defer mu.Unlock()
		shown = append(shown, doc.Text())
		close(first)
	})
	if len(shown) != 1 || !strings.Contains(shown[0], "Tried 1 of 2") || !strings.Contains(shown[0], "⏳") || !strings.Contains(shown[0], "is early") {
		t.Errorf("shown on the way: %q", shown)
	}
	text := answer.Doc.Text()
	for _, want := range []string{"⚠️ Nothing is broken; 1 of 2 parts wants a look.", "✅  late   comes late", "early  is early", "→ wait"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if answer.Unwell {
		t.Error("a warning is no failure")
	}
	if line := answer.Data.(Diagnosis).Line(); line != "Nothing is broken; 1 of 2 parts wants a look: early." {
		t.Errorf("in a line: %s", line)
	}
}

func TestADoctorInATerminalHasLetters(t *testing.T) {
	answer := Examine(context.Background(), []Check{{Part: "sun", Look: found(NotWell, "it sets", "wait")}, {Part: "moon", Look: found(Well, "full", "")}}, true, func(reply.Doc) {})
	text := answer.Doc.Text()
	if !strings.Contains(text, "1 of 2 parts is not well.") || !strings.Contains(text, "failed  sun   it sets\n              → wait") || !strings.Contains(text, "ok      moon  full") {
		t.Errorf("%s", text)
	}
	if strings.ContainsAny(text, "✅❌⚠") || !answer.Unwell {
		t.Errorf("unwell: %v\n%s", answer.Unwell, text)
	}
	if line := answer.Data.(Diagnosis).Line(); line != "1 of 2 parts is not well: sun." {
		t.Errorf("in a line: %s", line)
	}
}

// A check that hangs or breaks is one line; the others are there.
func TestADoctorIsNotHeldUp(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	answer := Examine(context.Background(), []Check{
		{Part: "hangs", Look: func(context.Context) Finding { <-never; return Finding{} }, Limit: 10 * time.Millisecond},
		{Part: "breaks", Look: func(context.Context) Finding { panic("out of range") }},
		{Part: "works", Look: found(Well, "fine", "")},
		{Part: "hangs, too", Look: func(context.Context) Finding { <-never; return Finding{} }, Limit: 10 * time.Millisecond, Needs: "hangs"},
	}, false, func(reply.Doc) {})
	text, err := json.Marshal(answer.Data)
	if err != nil {
		t.Fatal(err)
	}
	var data struct {
		Well   bool
		Checks []struct{ Part, Mark, Fact, Todo string }
	}
	if err := json.Unmarshal(text, &data); err != nil || data.Well || len(data.Checks) != 4 {
		t.Fatalf("%v\n%s", err, text)
	}
	if c := data.Checks[0]; c.Mark != "failed" || c.Fact != "does not answer" || !strings.Contains(c.Todo, "10ms") {
		t.Errorf("%+v", c)
	}
	if c := data.Checks[1]; c.Mark != "failed" || !strings.Contains(c.Fact, "out of range") || c.Todo == "" {
		t.Errorf("%+v", c)
	}
	if c := data.Checks[3]; c.Mark != "warning" || c.Todo != "see hangs" {
		t.Errorf("%+v", c)
	}
	if c := data.Checks[2]; c.Mark != "ok" || c.Fact != "fine" || c.Todo != "" {
		t.Errorf("%+v", c)
	}
}

func TestDoctorInTheRoom(t *testing.T) {
	b := newBench(t)
	b.commands.services.Proofs = []Check{{Part: "sun", Look: found(Well, "shines", "")}, {Part: "sea", Look: found(NotWell, "is far", "go"), Deep: found(Well, "was swum in", "")}}
	if out, err := b.do(t, "doctor"); err != nil || !strings.Contains(out, "sun            shines") || !strings.Contains(out, "→ go") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := b.do(t, "doctor --deep"); err != nil || !strings.Contains(out, "was swum in") || !strings.Contains(out, "sun") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := b.do(t, "forward 29005"); err != nil {
		t.Fatal(err)
	}
	if out, err := b.do(t, "doctor"); err != nil || !strings.Contains(out, "⚠️   forwards       1 of 1 cannot be tried. 29005: The Docker engine does not answer") || !strings.Contains(out, "→ !forwards tells more") {
		t.Errorf("%v\n%s", err, out)
	}
}
