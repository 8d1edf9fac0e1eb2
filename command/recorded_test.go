package command

import "testing"

func TestRecordedLinesHaveNoSecrets(t *testing.T) {
	for line, want := range map[string]string{
		"!forward 9005 --to 80":                      "!forward 9005 --to 80",
		"!agent mox set sandbox.docker.env.KEY hush": "!agent mox set sandbox.docker.env.KEY …",
		`!agent mox add list "hush hush`:             "!agent mox add list …",
		"agent -- mox set token hush hush":           "agent -- mox set token …",
		"!agent mox --json":                          "!agent mox --json",
		"!agent mox unset token":                     "!agent mox unset token",
		"!agnt mox set token hush":                   "!agnt …",
		"!xyzzy":                                     "!xyzzy",
		"":                                           "",
	} {
		if got := Recorded(line); got != want {
			t.Errorf("%s is recorded as %s, want %s", line, got, want)
		}
	}
}
