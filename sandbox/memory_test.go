package sandbox_test

import (
	"testing"
	"time"
)

// Memory that is taken in between is seen, also where it is given back.
func TestWatchMemorySeesWhatIsTaken(t *testing.T) {
	const much = 512 << 20
	end := engine(t).WatchMemory(t.Context())
	taken := make([]byte, much)
	for i := 0; i < len(taken); i += 4096 {
		taken[i] = 1
	}
	time.Sleep(2500 * time.Millisecond) // two looks
	most := end()
	if taken[0] != 1 || most < much/2 {
		t.Errorf("%d bytes were taken, %d were seen", much, most)
	}
}
