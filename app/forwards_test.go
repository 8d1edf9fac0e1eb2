package app

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/store"
)

// A forward outside of a range that was narrowed stays closed, and !status
// says what to do about it.
func TestForwardsOutsideTheRangeStayClosed(t *testing.T) {
	ctx := context.Background()
	records, err := store.Open(ctx, filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	for _, port := range []int{38101, 38102} {
		if err := records.SaveForward(ctx, store.Forward{Port: port}); err != nil {
			t.Fatal(err)
		}
	}
	c := config.Default()
	c.Forwards.Listen, c.Forwards.Range = "loopback", config.PortRange{First: 38000, Last: 38101}
	d := &deployment{config: c, log: streamLog(io.Discard), store: records, ports: forwarder.New(forwarder.Options{})}
	if err := d.restoreForwards(ctx); err != nil {
		t.Fatal(err)
	}
	open := d.ports.List()
	if len(open) != 1 || open[0].Port != 38101 {
		t.Errorf("opened %+v", open)
	}
	if found := d.forwardsHealth(ctx); found.Mark != command.Unsure || !strings.Contains(found.Todo, "!unforward 38102") {
		t.Errorf("%+v", found)
	}
	if err := d.ports.Close(forwarder.Key{Port: 38101}); err != nil {
		t.Error(err)
	}
}
