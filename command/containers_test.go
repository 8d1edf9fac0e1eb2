package command

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// What runs in a sandbox is what was typed, wherever it was typed.
func TestScripts(t *testing.T) {
	sh := func(text string) []string { return []string{"/bin/sh", "-c", text} }
	for _, test := range []struct {
		line  string
		args  []string // of the shell, as it hands them on; nil for a line in a room
		whose string
		want  []string
	}{
		{line: `sandbox run mox -- ls -l "a b" | wc`, whose: "mox", want: sh(`ls -l "a b" | wc`)},
		{line: `sandbox run -- echo --json -- x`, want: sh(`echo --json -- x`)},
		{line: `sandbox run --limit 3m mox -- it's fine`, whose: "mox", want: sh(`it's fine`)},
		{line: "sandbox run mox -- cat <<E\n  a\nE", whose: "mox", want: sh("cat <<E\n  a\nE")},
		{line: `sandbox run mox — echo “hello”`, whose: "mox", want: sh(`echo "hello"`)},
		{line: `sandbox run mox   --   ls`, whose: "mox", want: sh("ls")},
		{args: []string{"sandbox", "run", "--", "mox", "--", "ls | wc"}, whose: "mox", want: sh("ls | wc")},
		{args: []string{"sandbox", "run", "--limit=5m0s", "--", "mox", "--", "ls", "a b"}, whose: "mox", want: []string{"ls", "a b"}},
		{args: []string{"sandbox", "run", "--", "--", "ls", "--", "x"}, want: []string{"ls", "--", "x"}},
	} {
		request := Request{Line: test.line, Args: test.args, Shell: test.args != nil, Role: Owner}
		if !request.Shell {
			var err error
			if request.Args, err = Split(test.line); err != nil {
				t.Fatal(err)
			}
		}
		r := &run{request: request, leave: func() {}}
		root := r.tree()
		cmd, _, err := root.Find(request.Args)
		if err != nil {
			t.Fatal(err)
		}
		var whose string
		var script []string
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			var words []string
			whose, words, err = behindDashes(cmd, args)
			script = r.script(words)
			return err
		}
		root.PersistentPreRunE = nil
		root.SetArgs(request.Args)
		if err := root.Execute(); err != nil || whose != test.whose || !slices.Equal(script, test.want) {
			t.Errorf("%s%q: whose %q, %q, %v", test.line, test.args, whose, script, err)
		}
	}
}

func TestGroupsAddUp(t *testing.T) {
	layers := []store.BuildLayer{{Name: "core", Size: 10}, {Name: "user", Size: 0}, {Name: "node", Size: 30}, {Name: "core", Size: 5}}
	want := []groupRow{{"node", 30}, {"core", 15}, {"base", 55}}
	if diff := cmp.Diff(want, groups(layers, 100), cmp.AllowUnexported(groupRow{})); diff != "" {
		t.Error(diff)
	}
	var many []store.BuildLayer
	for i := range 20 {
		many = append(many, store.BuildLayer{Name: string(rune('a' + i)), Size: int64(i + 1)})
	}
	rows := groups(many, 210)
	var sum int64
	for _, row := range rows {
		sum += row.Size
	}
	if len(rows) != mostGroups || sum != 210 || rows[mostGroups-1].Name != "13 more" {
		t.Errorf("%+v", rows)
	}
}

// What a command in a sandbox wrote may be anybody's secret: the record of
// commands keeps how it ended.
func TestOutputIsNotRecorded(t *testing.T) {
	doc := reply.Doc{reply.P("Ended with exit status 0."), reply.Code{Text: "TOKEN=x"}}
	if got := RecordedOutcome(doc, reply.Answer{Private: true}, nil); got != "Ended with exit status 0." {
		t.Errorf("%q", got)
	}
	if got := RecordedOutcome(doc, reply.Answer{}, &Problem{Private: true}); got != "Ended with exit status 0." {
		t.Errorf("%q", got)
	}
	if got := RecordedOutcome(doc, reply.Answer{}, nil); got != doc.Text() {
		t.Errorf("%q", got)
	}
}

func TestLastOf(t *testing.T) {
	for _, test := range [][2]string{{"abc", "abc"}, {"first line\nsecond", "second"}, {"0123456789abcdef", "6789abcdef"}, {"ä0123456789"[1:], "0123456789"}} {
		if got := lastOf(test[0], 10); got != test[1] {
			t.Errorf("%q gave %q", test[0], got)
		}
	}
}
