package command

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// A range opens whole or not at all.
func TestForwardRangeIsAllOrNothing(t *testing.T) {
	b := newBench(t)
	b.forwards.held[29012] = "vim"
	if _, err := b.do(t, "forward 29010-29013"); err == nil {
		t.Fatal("opened a range with a port that is taken")
	}
	if open := b.forwards.List(); len(open) != 0 {
		t.Errorf("left %+v", open)
	}
	text, err := b.do(t, "forward 29020-29021 29020")
	if err != nil || strings.Count(text, "is open") != 2 {
		t.Errorf("%q %v", text, err)
	}
	if _, err = b.do(t, "unforward 29020 29022"); err == nil || !strings.HasPrefix(err.Error(), "Port 29022 is not forwarded, so I closed none.") || len(b.forwards.List()) != 2 {
		t.Errorf("%v left %d", err, len(b.forwards.List()))
	}
	if text, err = b.do(t, "unforward all"); err != nil || text != "Ports 29020 29021 are closed." {
		t.Errorf("%q %v", text, err)
	}
}

// Many ports are told in one line, and listed up to a bound.
func TestManyForwardsAreToldBriefly(t *testing.T) {
	b := newBench(t)
	text, err := b.do(t, "forward 29000-29049")
	if err != nil || text != "Ports 29000-29049 are open at 127.0.0.1; 0 answer. !forwards tells more." {
		t.Fatalf("%q %v", text, err)
	}
	if text, _ = b.do(t, "forwards"); strings.Count(text, "127.0.0.1:290") != 40 || !strings.Contains(text, "… and 10 more.") {
		t.Error(text)
	}
	if text, _ = b.do(t, "forwards --json"); strings.Count(text, `"port":`) != 50 {
		t.Error(text)
	}
	if text, _ = b.doAs(t, Request{Sender: "@o:test", Role: Owner, Shell: true}, "forwards"); strings.Count(text, "127.0.0.1:290") != 50 {
		t.Error(text)
	}
}

// A port that lies outside a range that was narrowed since can be closed.
func TestUnforwardKnowsNoRange(t *testing.T) {
	b := newBench(t)
	ctx := context.Background()
	if err := b.records.SaveForward(ctx, store.Forward{Port: 28000}); err != nil {
		t.Fatal(err)
	}
	if err := b.forwards.Open(forwarder.Spec{Port: 28001}); err != nil {
		t.Fatal(err)
	}
	if text, err := b.do(t, "unforward 28000 28001"); err != nil || text != "Ports 28000 28001 are closed." {
		t.Errorf("%q %v", text, err)
	}
	if saved, _ := b.records.Forwards(ctx); len(saved) != 0 || len(b.forwards.List()) != 0 {
		t.Errorf("left %v and %v", saved, b.forwards.List())
	}
}

// What undoes an unforward opens the ports as they were, all or none.
func TestUndoOfUnforwardKeepsTargets(t *testing.T) {
	b := newBench(t)
	for _, line := range []string{"forward 29030 --to 80 --agent mox", "forward 29031-29033 --agent 'fly 2'", "forward 29034"} {
		if _, err := b.do(t, line); err != nil {
			t.Fatal(err)
		}
	}
	before := b.specs()
	answer, err := b.commands.Do(context.Background(), Request{Args: []string{"unforward", "all"}, Sender: "@o:test", Role: Owner}, b.desk)
	if err != nil {
		t.Fatal(err)
	}
	again := func() error {
		r := &run{Services: b.commands.services, shared: &b.commands.shared, request: Request{Sender: "@o:test", Role: Owner}, talk: b.desk}
		_, err := r.takeBack(context.Background(), answer.Undo)
		return err
	}
	b.forwards.held[29032] = "vim"
	if err := again(); err == nil || len(b.forwards.List()) != 0 {
		t.Errorf("%v left %v", err, b.specs())
	}
	delete(b.forwards.held, 29032)
	if err := again(); err != nil || !slices.Equal(before, b.specs()) {
		t.Errorf("%q gave %v, %v", answer.Undo, b.specs(), err)
	}
}

// The shell's commands have no queue: the lane holds for them, too. One port
// goes to one of those who ask for it at once, and its record stays.
func TestLanesHoldForEverybody(t *testing.T) {
	b := newBench(t)
	var asking sync.WaitGroup
	var opened atomic.Int32
	for range 8 {
		asking.Go(func() {
			_, err := b.commands.Do(context.Background(), Request{Args: []string{"forward", "29040"}, Sender: "@o:test", Role: Owner}, b.desk)
			if err == nil {
				opened.Add(1)
			} else if !strings.HasPrefix(err.Error(), "Port 29040 is forwarded already.") {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if saved, _ := b.records.Forwards(context.Background()); opened.Load() != 1 || len(saved) != 1 {
		t.Errorf("opened %d times, %d records", opened.Load(), len(saved))
	}
}

// Who waits for a lane is told so, and may stop waiting.
func TestWaitingForALane(t *testing.T) {
	b := newBench(t)
	lane := b.commands.shared.lanes.of("forwards")
	lane <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	waiting := &desk{updates: make(chan reply.Doc, 1)}
	done := make(chan error)
	go func() {
		_, err := b.commands.Do(ctx, Request{Args: []string{"forward", "29041"}, Sender: "@o:test", Role: Owner}, waiting)
		done <- err
	}()
	<-waiting.updates
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-lane
	if _, err := b.do(t, "forward 29041"); err != nil {
		t.Error(err)
	}
}
