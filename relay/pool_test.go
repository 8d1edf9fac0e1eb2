package relay_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/githabideri/fraktalia/relay"
)

func TestOneProgramForEachRun(t *testing.T) {
	port := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { io.Copy(conn, conn) })
	var started atomic.Int32
	var last atomic.Pointer[process]
	start := func(context.Context) (relay.Link, error) {
		started.Add(1)
		p := run(t)
		last.Store(p)
		return p, nil
	}
	pool := relay.NewPool()
	defer pool.Close()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			conn, err := pool.Dial(t.Context(), "first", start, port)
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	all.Wait()
	if started.Load() != 1 {
		t.Errorf("%d programs for one run", started.Load())
	}
	first := last.Load()
	if _, err := pool.Dial(t.Context(), "second", start, port); err != nil || started.Load() != 2 {
		t.Errorf("another run: %v, %d programs", err, started.Load())
	}
	pool.Keep(map[string]bool{"second": true})
	if err := first.cmd.Wait(); err != nil {
		t.Errorf("the program of the run that is over: %v", err)
	}
}

func TestAProgramThatDiedIsStartedAgain(t *testing.T) {
	port := service(t, "127.0.0.1:0", func(conn *net.TCPConn) { io.Copy(conn, conn) })
	var programs []*process
	start := func(context.Context) (relay.Link, error) {
		programs = append(programs, run(t))
		return programs[len(programs)-1], nil
	}
	pool := relay.NewPool()
	defer pool.Close()
	conn, err := pool.Dial(t.Context(), "run", start, port)
	if err != nil {
		t.Fatal(err)
	}
	programs[0].cmd.Process.Kill()
	conn.Read(make([]byte, 1)) // returns when this end knows
	until(t, "another program", func() bool {
		_, err := pool.Dial(t.Context(), "run", start, port)
		return err == nil
	})
	if len(programs) != 2 {
		t.Errorf("%d programs", len(programs))
	}
}

// A sandbox without the program costs one start, not one a connection.
func TestAFailureIsRemembered(t *testing.T) {
	tried := 0
	failure := errors.New("no such program")
	start := func(context.Context) (relay.Link, error) { tried++; return nil, failure }
	pool := relay.NewPool()
	defer pool.Close()
	for range 100 {
		if _, err := pool.Dial(t.Context(), "run", start, 80); !errors.Is(err, failure) {
			t.Errorf("error %v", err)
		}
	}
	if tried != 1 {
		t.Errorf("tried %d times", tried)
	}
}

func TestARunThatEndsWhileItsProgramStarts(t *testing.T) {
	pool := relay.NewPool()
	begun := make(chan bool)
	start := func(ctx context.Context) (relay.Link, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	go func() { <-begun; pool.Close() }()
	if _, err := pool.Dial(t.Context(), "run", start, 80); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
