package app

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/githabideri/fraktalia/command"
)

func TestVersionsAreHeldAgainstThoseThatWereTried(t *testing.T) {
	var known []tried
	if err := yaml.Unmarshal(knownVersions, &known); err != nil {
		t.Fatal(err)
	}
	for _, k := range known {
		if numbers(k.Oldest) == nil || numbers(k.Newest) == nil || k.Why == "" {
			t.Errorf("versions.yaml: %+v", k)
		}
	}
	known = []tried{{"Docker", "20.10", "28.5.2", "reasons"}, {"OpenClaw", "2026.8", "2026.9.6", "reasons"}}
	for _, c := range []struct {
		here []versionHere
		mark command.Mark
		says string
	}{
		{[]versionHere{{"Docker", "20.10.24+dfsg1"}, {"OpenClaw", "2026.9.30-beta.1"}}, command.Well, "Docker 20.10.24+dfsg1, OpenClaw 2026.9.30-beta.1: as tried"},
		{[]versionHere{{"Docker", "28.5.9"}}, command.Well, "as tried"},
		{[]versionHere{{"Docker", "28.6.0"}}, command.Unsure, "Docker 28.6.0 is newer than 28.5.2"},
		{[]versionHere{{"OpenClaw", "2027.1.0"}}, command.Unsure, "newer than 2026.9.6"},
		{[]versionHere{{"Docker", "19.03.8"}, {"OpenClaw", "2027.1.0"}}, command.NotWell, "Docker 19.03.8 is older than 20.10 (reasons)"},
		{[]versionHere{{"Conduit", "1.0"}}, command.Unsure, "Conduit 1.0: I was not tried"},
		{[]versionHere{{"Docker", "unknown"}}, command.Unsure, "Docker unknown"},
		{nil, command.Unsure, "nothing answers"},
	} {
		if f := judgeVersions(known, c.here); f.Mark != c.mark || !strings.Contains(f.Fact, c.says) || (f.Todo == "") != (c.mark == command.Well) {
			t.Errorf("%v: %+v, want %s %q", c.here, f, c.mark, c.says)
		}
	}
}

func TestTheMachineIsJudgedByTheLeastOfIt(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		disks  []room
		memory int64
		mark   command.Mark
		says   string
	}{
		{[]room{{"/data", 50 * gib}, {"Docker", 9 * gib}}, 8 * gib, command.Well, "53.69GB free for /data, 9.664GB free for Docker, 8GiB of memory free"},
		{[]room{{"/data", 50 * gib}, {"Docker", 3 * gib}}, 8 * gib, command.Unsure, "3.221GB free for Docker"},
		{[]room{{"/data", 100 << 20}, {"Docker", 9 * gib}}, 8 * gib, command.NotWell, "104.9MB free for /data"},
		{[]room{{"/data", 50 * gib}}, 512 << 20, command.Unsure, "512MiB"},
		{[]room{{"/data", 3 * gib}}, 50 << 20, command.NotWell, "50MiB"},
	} {
		if f := judgeMachine(c.disks, c.memory); f.Mark != c.mark || !strings.Contains(f.Fact, c.says) || (f.Todo == "") != (c.mark == command.Well) {
			t.Errorf("%v, %d: %+v, want %s %q", c.disks, c.memory, f, c.mark, c.says)
		}
	}
}
