package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/githabideri/fraktalia/e2e/harness"
)

// A homeserver may be set to make rooms of an older version, whose creator has
// no power but what is written down.
func TestRoomsOfAnOlderVersion(t *testing.T) {
	t.Parallel() // it has a homeserver of its own
	dir := filepath.Join(shared.dir, "older")
	d, err := harness.New(within(t), shared.Binary, dir)
	must(t, err)
	d.Env = []string{shared.guard.Env(), "HOME=" + dir}
	settings, err := os.OpenFile(filepath.Join(d.DataDir, "synapse", "homeserver.local.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = settings.WriteString("default_room_version: \"11\"\n")
	must(t, err)
	must(t, settings.Close())
	t.Cleanup(func() { must(t, d.Down(within(t))) })
	must(t, d.Up(within(t)))
	admin := ownerIn(within(t), t, d)
	if out := say(t, admin, "!createroom Attic"); !out.OK {
		t.Fatal(out.Body)
	}
	for _, name := range []string{"Fraktalia", "Attic"} {
		if room := listedOn(t, d, name); room == nil || room.Version != "11" {
			t.Errorf("%s is %+v", name, room)
		}
	}
}
