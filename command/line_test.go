package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		`forward 9005`:                   {"forward", "9005"},
		`share #general:example.org now`: {"share", "#general:example.org", "now"},
		`say a#b "#c" '#d'`:              {"say", "a#b", "#c", "#d"},
		`adduser alice --name “Alice A”`: {"adduser", "alice", "--name", "Alice A"},
		`deny 7 because it's late`:       {"deny", "7", "because", "it's", "late"},
		`deny 7 because it’s late`:       {"deny", "7", "because", "it's", "late"},
		`say "it's" done`:                {"say", "it's", "done"},
		`forward 9005 —agent mox`:        {"forward", "9005", "--agent", "mox"},
		"two\nlines\there":               {"two", "lines", "here"},
		`agent mox set env {"a":\ "b"}`:  {"agent", "mox", "set", "env", "{a: b}"},
		``:                               {},
		`path C:\\x`:                     {"path", `C:\x`},
		`'single # quoted' \#hash`:       {"single # quoted", "#hash"},
		`x "a \" #b" #c`:                 {"x", `a " #b`, "#c"},
	} {
		got, err := Split(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

func TestSplitRefusesInOneSentence(t *testing.T) {
	for _, line := range []string{`say "open`, "nul\x00", "bad\xff", strings.Repeat("x", MaxLine+1)} {
		_, err := Split(line)
		var problem *Problem
		if !errors.As(err, &problem) {
			t.Errorf("%.20q gave %v, want a sentence", line, err)
		}
	}
}

func TestIsCommand(t *testing.T) {
	for body, want := range map[string]bool{"!forward 9005": true, "!X": true, "!": false, "!!": false, "! x": false,
		"hello": false, "": false, "!9": false, "> !forward": false, "\u200b!forward": false} {
		if IsCommand(body) != want {
			t.Errorf("IsCommand(%q) is not %v", body, want)
		}
	}
}

// Words of letters come back as they were, whatever stands around them.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"a 'b c' #d", `"`, "'", `\`, "#", "“x”", "a\\#", "# #"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Split(line)
		if err != nil {
			return
		}
		for _, word := range words {
			if strings.ContainsRune(word, 0) {
				t.Errorf("%q gave a NUL", line)
			}
		}
		if !strings.ContainsAny(typographic.Replace(line), "'\"\\—") {
			if want := strings.Fields(line); len(want) != len(words) {
				// Only the splitter's own white space separates words.
				for _, r := range line {
					if r > 0x7f || r == '\v' || r == '\f' {
						return
					}
				}
				t.Errorf("%q gave %q, want %q", line, words, want)
			}
		}
	})
}
