package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
)

const (
	// usageSpan is the time over which the use of processors is measured.
	usageSpan = 500 * time.Millisecond
	// usageLimit bounds the look at one container: the engine walks its files
	// for their size, and there may be many.
	usageLimit = 8 * time.Second
)

// Usage is what a container takes of its machine.
type Usage struct {
	Memory int64   // bytes, without the cache of files; 0 unless it runs
	Limit  int64   // bytes of memory that it may take; 0 is no limit of its own
	CPU    float64 // of one processor, over the last half second: 1.5 is one and a half
	Disk   int64   // bytes that were written beside image and workspace
	Works  []Work  // beside its own program
	Err    error   // why some of this is not known
}

// Usages looks at several containers at once.
func (e *Engine) Usages(ctx context.Context, containers []Container) []Usage {
	found := make([]Usage, len(containers))
	var looking sync.WaitGroup
	for i, c := range containers {
		looking.Go(func() { found[i] = e.usage(ctx, c) })
	}
	looking.Wait()
	return found
}

func (e *Engine) usage(ctx context.Context, c Container) Usage {
	ctx, cancel := context.WithTimeout(ctx, usageLimit)
	defer cancel()
	var u Usage
	var disk, load, work error
	var looking sync.WaitGroup
	looking.Go(func() { u.Disk, disk = e.written(ctx, c) })
	if c.pid != 0 {
		looking.Go(func() { load = e.load(ctx, c, &u) })
		looking.Go(func() { u.Works, work = e.Works(ctx, c) })
	}
	looking.Wait()
	for _, err := range []error{disk, load, work} {
		if err != nil && u.Err == nil {
			u.Err = err
		}
	}
	return u
}

func (e *Engine) written(ctx context.Context, c Container) (int64, error) {
	details, _, err := e.api.ContainerInspectWithRaw(ctx, c.ID, true)
	if err != nil {
		return 0, e.engineError(err, "measure container %s", c.Name)
	}
	if details.SizeRw == nil {
		return 0, nil
	}
	return *details.SizeRw, nil
}

func (e *Engine) load(ctx context.Context, c Container, into *Usage) error {
	before, err := e.stats(ctx, c)
	if err != nil {
		return err
	}
	sleep(ctx, usageSpan)
	now, err := e.stats(ctx, c)
	if err != nil {
		return err
	}
	into.Memory = int64(now.MemoryStats.Usage)
	for _, cache := range []string{"total_inactive_file", "inactive_file"} { // cgroup v1, v2
		if size, ok := now.MemoryStats.Stats[cache]; ok && size < now.MemoryStats.Usage {
			into.Memory = int64(now.MemoryStats.Usage - size)
			break
		}
	}
	into.Limit = c.memoryLimit
	if span := now.Read.Sub(before.Read); span > 0 && now.CPUStats.CPUUsage.TotalUsage >= before.CPUStats.CPUUsage.TotalUsage {
		into.CPU = float64(now.CPUStats.CPUUsage.TotalUsage-before.CPUStats.CPUUsage.TotalUsage) / float64(span)
	}
	return nil
}

func (e *Engine) stats(ctx context.Context, c Container) (container.StatsResponse, error) {
	var stats container.StatsResponse
	answer, err := e.api.ContainerStatsOneShot(ctx, c.ID)
	if err != nil {
		return stats, e.engineError(err, "measure container %s", c.Name)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&stats); err != nil {
		return stats, fmt.Errorf("measure container %s: %w", c.Name, err)
	}
	return stats, nil
}
