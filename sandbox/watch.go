package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/sirupsen/logrus"
)

const (
	// subscribeSince reaches back over the moment between the engine's answer
	// to a subscription and the subscription itself (it answers first).
	subscribeSince = time.Second
	// listLimit bounds a listing; an engine that takes longer is as good as gone.
	listLimit = 10 * time.Second
	// recheckEvery lists again without any event: an engine that hangs breaks
	// no stream, but it does not answer this either.
	recheckEvery = 30 * time.Second
	// recheckKilled lists again after a kill: the signal may have been ignored.
	recheckKilled = time.Second

	firstBackOff = 50 * time.Millisecond
	lastBackOff  = 5 * time.Second
)

// Snapshot is what is known of the sandbox containers at one moment.
type Snapshot struct {
	Known      bool        // false: no address known before may be trusted
	Err        error       // why it is not known; nil at the very start
	Containers []Container // in every state, sorted by name
}

// Watcher follows the engine's sandbox containers.
//
// The engine hands an address to the next container at once, so a stale
// address reaches the wrong container. The watcher therefore subscribes to
// the engine's events before it lists, takes a container out the moment an
// event puts its address in doubt, lists again after every event, and says
// "not known" as soon as the stream of events breaks.
type Watcher struct {
	engine  *Engine
	log     *logrus.Entry
	publish func(Snapshot)
	uses    uses
}

// NewWatcher makes a watcher of engine. It calls publish from one goroutine,
// in order, at each change; publish must return quickly and must not block on
// the engine.
func NewWatcher(engine *Engine, log *logrus.Entry, publish func(Snapshot)) *Watcher {
	return &Watcher{engine: engine, log: log, publish: publish}
}

// Run follows the engine until ctx ends, through any number of restarts of
// the engine, and returns nil.
func (w *Watcher) Run(ctx context.Context) error {
	w.recall(ctx)
	wait := firstBackOff
	for ctx.Err() == nil {
		listed, err := w.follow(ctx)
		if ctx.Err() != nil {
			break
		}
		w.publish(Snapshot{Err: err})
		if listed {
			wait = firstBackOff
			w.log.WithError(err).Warn("lost the engine's events, sandbox addresses are not known")
		}
		sleep(ctx, wait)
		wait = min(2*wait, lastBackOff)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// follow lives as long as one stream of events, and says whether it ever got
// as far as a listing.
func (w *Watcher) follow(ctx context.Context) (listed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	v := &view{watcher: w, listings: make(chan listing, 1)}
	defer v.wait()
	defer cancel()

	messages, failed := w.engine.api.Events(ctx, events.ListOptions{
		Since:   fmt.Sprintf("%.9f", float64(time.Now().Add(-subscribeSince).UnixNano())/1e9),
		Filters: filters.NewArgs(filters.Arg("type", "container"), filters.Arg("type", "network")),
	})
	recheck := time.NewTimer(recheckEvery)
	defer recheck.Stop()
	v.list(ctx)
	for {
		select {
		case message := <-messages:
			v.apply(ctx, message, recheck)
		case <-recheck.C:
			recheck.Reset(recheckEvery)
			v.list(ctx)
		case result := <-v.listings:
			if err := v.listed(ctx, result); err != nil {
				return v.known, err
			}
		case err := <-failed:
			return v.known, streamError(err)
		}
	}
}

// streamError makes an end of the stream an error: the client reports nil
// where the engine closed it in good order.
func streamError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return errors.New("the engine closed its stream of events")
	}
	return fmt.Errorf("follow the engine's events: %w", err)
}

// listing is the answer to one list request.
type listing struct {
	containers []Container
	err        error
}

// view is the state of one subscription. Listings run beside it, because an
// engine may hold one back while it stops a container, and the event which
// says so must not wait for that.
type view struct {
	watcher    *Watcher
	containers []Container
	known      bool
	listings   chan listing
	running    bool             // a listing is under way
	again      bool             // and is to be followed by another
	doubted    []events.Message // what invalidated containers since it began
}

func (v *view) list(ctx context.Context) {
	if v.running {
		v.again = true
		return
	}
	v.running, v.again, v.doubted = true, false, nil
	go func() {
		ctx, cancel := context.WithTimeout(ctx, listLimit)
		defer cancel()
		containers, err := v.watcher.engine.Containers(ctx)
		v.listings <- listing{containers, err}
	}()
}

// wait outlives the listing under way, once its context has ended.
func (v *view) wait() {
	if v.running {
		<-v.listings
	}
}

func (v *view) listed(ctx context.Context, result listing) error {
	v.running = false
	if result.err != nil {
		return result.err
	}
	v.containers, v.known = result.containers, true
	for _, message := range v.doubted {
		v.drop(message)
	}
	v.publish()
	if v.again {
		v.list(ctx)
	}
	return nil
}

func (v *view) publish() {
	v.watcher.publish(Snapshot{Known: true, Containers: slices.Clone(v.containers)})
}

// apply takes one event: at once out with what it puts in doubt, then a
// listing to see what is true now.
func (v *view) apply(ctx context.Context, message events.Message, recheck *time.Timer) {
	v.watcher.uses.note(message)
	if !concerns(message) {
		return
	}
	if invalidates(message) {
		if v.running {
			v.doubted = append(v.doubted, message)
		}
		if v.drop(message) && v.known {
			v.publish()
		}
	}
	if message.Action == events.ActionKill {
		recheck.Reset(recheckKilled)
		return // the die event that follows brings the listing
	}
	v.list(ctx)
}

// drop takes out the container that the event speaks of, unless the event is
// older than the container's present run (events are replayed a little).
func (v *view) drop(message events.Message) bool {
	id, before := subject(message), len(v.containers)
	v.containers = slices.DeleteFunc(v.containers, func(c Container) bool {
		return c.ID == id && c.Started.UnixNano() <= message.TimeNano
	})
	return len(v.containers) < before
}

func subject(message events.Message) string {
	if message.Type == events.NetworkEventType {
		return message.Actor.Attributes["container"]
	}
	return message.Actor.ID
}

// concerns leaves out the events that cannot change a sandbox's address:
// other containers' and the many of exec and health checks. Network events
// carry no labels, so all of them count.
func concerns(message events.Message) bool {
	switch message.Action {
	case events.ActionConnect, events.ActionDisconnect:
		return message.Type == events.NetworkEventType
	case events.ActionCreate, events.ActionStart, events.ActionDie, events.ActionKill, events.ActionPause,
		events.ActionUnPause, events.ActionDestroy, events.ActionRename:
		_, sandbox := message.Actor.Attributes[labelSandbox]
		return sandbox && message.Type == events.ContainerEventType
	}
	return false
}

// invalidates says whether the container's address is in doubt after the event.
func invalidates(message events.Message) bool {
	switch message.Action {
	case events.ActionDie, events.ActionPause, events.ActionDestroy, events.ActionDisconnect:
		return true
	case events.ActionKill:
		return ends(message.Actor.Attributes["signal"])
	}
	return false
}

// ends tells the signals that stop a container from those that servers take
// as orders (reload, reopen logs).
func ends(signal string) bool {
	switch signal {
	case "1", "10", "12", "17", "18", "28": // HUP, USR1, USR2, CHLD, CONT, WINCH
		return false
	}
	return true
}
