package sandbox

import (
	"context"
	"os"
	"sync"
	"time"
)

// memoryTick is the time between two looks at the machine's memory.
const memoryTick = time.Second

// WatchMemory sees how much of the memory that the engine's machine has free
// now is taken meanwhile. end returns the most, in bytes; 0 where the engine
// is on another machine. What other programs take counts as well: nobody tells
// the two apart for every builder.
func (e *Engine) WatchMemory(ctx context.Context) (end func() int64) {
	info, err := e.api.Info(ctx)
	if err != nil || !e.here(info) {
		return func() int64 { return 0 }
	}
	free, stop := ownMemory(), make(chan struct{})
	least := free
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(memoryTick)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if now := ownMemory(); now > 0 {
					least = min(least, now)
				}
			}
		}
	})
	return func() int64 {
		close(stop)
		watching.Wait()
		return max(free-least, 0)
	}
}

// ownMemory is what this machine has free, 0 where it does not say.
func ownMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	free, _ := memAvailable(string(text))
	return free
}
