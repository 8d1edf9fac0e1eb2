package openclaw

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/openclaw/programs"
)

func quiet() *logrus.Entry {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return logrus.NewEntry(log)
}

// realProgram brings the real OpenClaw and puts its Node first on the PATH.
func realProgram(t testing.TB) string {
	t.Helper()
	installed, err := programs.Install(t.Context(), programs.DefaultCache(), func(programs.Step) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", installed.Path())
	state := t.TempDir()
	t.Setenv("OPENCLAW_STATE_DIR", state)
	t.Setenv("OPENCLAW_CONFIG_PATH", filepath.Join(state, "openclaw.json"))
	return filepath.Join(installed.Bin(), "openclaw")
}

// realChecker knows the real schema.
func realChecker(t *testing.T) *Checker {
	t.Helper()
	program := realProgram(t)
	c := NewChecker(t.TempDir(), func() (string, error) { return program, nil }, quiet())
	must(t, c.Learn(context.Background()))
	return c
}

// wrongHouse has one mistake of each kind.
const wrongHouse = `{
  gateway: { mode: 'local' },
  agents: { entries: { mox: { nam: 'x', sandbox: { mode: 'al', docker: { memory: '4g', readOnlyRoot: 'yes' } } } } },
  bindings: [{ agentId: 'moxx', match: { channel: 'matrix' } }],
  zork: 1,
}`

// TestFindsWhatOpenClawFinds holds our answer against the one of OpenClaw itself on the same file.
func TestFindsWhatOpenClawFinds(t *testing.T) {
	checker := realChecker(t)
	program, _, err := checker.installed()
	must(t, err)
	for name, text := range map[string]string{"wrong": wrongHouse, "right": entriesHouse, "right, as a list": listHouse()} {
		config := loadText(t, text)
		report, err := checker.Check(context.Background(), config)
		must(t, err)
		theirs, err := staged(context.Background(), program, config)
		must(t, err)
		if report.By != BySchema || len(report.Issues) == 0 != (len(theirs) == 0) {
			t.Errorf("%s: we (%s) find\n%v\nOpenClaw finds\n%v", name, report.By, report.Issues, theirs)
		}
		for _, their := range theirs {
			if !found(their, report.Issues) {
				t.Errorf("%s: OpenClaw finds %s, we only %v", name, their, report.Issues)
			}
		}
	}
}

// found says whether an issue of OpenClaw's is among ours, by its path.
func found(their Issue, ours []Issue) bool {
	for _, our := range ours {
		if our.Path == their.Path {
			return true
		}
	}
	return false
}

func TestIssuesInWords(t *testing.T) {
	checker := realChecker(t)
	report, err := checker.Check(context.Background(), loadText(t, wrongHouse))
	must(t, err)
	want := []Issue{
		{"agents.entries.mox", `OpenClaw knows no key "nam" there; did you mean name?`},
		{"agents.entries.mox.sandbox.docker.readOnlyRoot", "must be of type boolean, but is of type string"},
		{"agents.entries.mox.sandbox.mode", "must be one of off, non-main, all"},
		{"", `OpenClaw knows no key "zork" there`},
		{"bindings.0.agentId", `there is no agent "moxx"; did you mean mox?`},
	}
	less := func(list []Issue) map[Issue]bool {
		set := map[Issue]bool{}
		for _, i := range list {
			set[i] = true
		}
		return set
	}
	if diff := cmp.Diff(less(want), less(report.Issues)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	schema, _ := checker.Schema()
	wantTyped(t, schema)
	wantChange(t, checker)
}

func wantTyped(t *testing.T, s *Schema) {
	t.Helper()
	for path, typed := range map[string][2]string{
		"agents.entries.mox.name":                        {"007", `"007"`},
		"agents.list[id=mox].name":                       {"true", `"true"`},
		"agents.entries.mox.sandbox.docker.memory":       {"8g", `"8g"`},
		"agents.entries.mox.sandbox.docker.readOnlyRoot": {"true", "true"},
		"agents.entries.mox.skills":                      {"['a']", `["a"]`},
		"agents.entries.mox.sandbox.docker.env.X":        {"1", `"1"`},
	} {
		v, err := s.ValueFor(parsePath(t, path), typed[0])
		if err != nil || string(v.JSON("")) != typed[1] {
			t.Errorf("%s %s: %s, %v", path, typed[0], v.JSON(""), err)
		}
	}
	var unknown *UnknownPathError
	if _, err := s.ValueFor(parsePath(t, "agents.entries.mox.sandbox.doker.image"), "x"); !errors.As(err, &unknown) || !cmp.Equal(unknown.Nearest, []string{"docker"}) {
		t.Errorf("an unknown path: %v", err)
	}
}

// wantChange checks that a broken file can be mended but not broken further.
func wantChange(t *testing.T, checker *Checker) {
	t.Helper()
	config := loadText(t, wrongHouse)
	mend, err := config.Plan(SetInAgent("mox", parsePath(t, "sandbox.mode"), json5.StringValue("all")))
	must(t, err)
	if _, err := checker.CheckChange(context.Background(), mend.Before(), mend.After()); err != nil {
		t.Errorf("mending one of several mistakes: %v", err)
	}
	worse, err := config.Plan(SetInAgent("mox", parsePath(t, "sandbox.scope"), json5.StringValue("wide")))
	must(t, err)
	var invalid *InvalidError
	if _, err := checker.CheckChange(context.Background(), worse.Before(), worse.After()); !errors.As(err, &invalid) || len(invalid.Report.Issues) != 1 || !strings.Contains(err.Error(), "must be one of") {
		t.Errorf("adding a mistake: %v", err)
	}
}

// TestWithoutSchema lets OpenClaw itself judge a staged copy, and leaves nothing behind.
func TestWithoutSchema(t *testing.T) {
	program := realProgram(t)
	config := loadText(t, wrongHouse)
	checker := NewChecker(t.TempDir(), func() (string, error) { return program, nil }, quiet())
	report, err := checker.Check(context.Background(), config)
	must(t, err)
	if report.By != ByStaged || len(report.Issues) < 4 {
		t.Errorf("by %s: %v", report.By, report.Issues)
	}
	if entries, _ := os.ReadDir(filepath.Dir(config.Path())); len(entries) != 1 {
		t.Errorf("the copy was left: %v", entries)
	}
	none := NewChecker(t.TempDir(), func() (string, error) { return "", errors.New("none") }, quiet())
	report, err = none.Check(context.Background(), config)
	must(t, err)
	if report.By != ByOwn || len(report.Issues) != 2 {
		t.Errorf("by %s: %v", report.By, report.Issues)
	}
}

func TestDoubts(t *testing.T) {
	text := strings.Replace(entriesHouse, "'!two:host.org': { enabled: true },", "'!old:host.org': {},", 1)
	doubts := loadText(t, text).doubts()
	if len(doubts) != 2 || !strings.Contains(doubts[0].Message, "!two:host.org") || !strings.Contains(doubts[1].Message, "!old:host.org") {
		t.Errorf("doubts: %v", doubts)
	}
}
