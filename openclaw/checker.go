package openclaw

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// How thoroughly a configuration was checked.
const (
	BySchema = "schema" // against OpenClaw's own schema, and for cross-references
	ByStaged = "staged" // by OpenClaw itself, on a copy beside the file
	ByOwn    = "own"    // only for what would stop the gateway as far as we know: there is no openclaw program here
)

// Report is what a check found.
type Report struct {
	By      string  // BySchema, ByStaged or ByOwn
	Version string  // of the OpenClaw that the check speaks for; empty for ByOwn
	Issues  []Issue // OpenClaw refuses this
	Doubts  []Issue // OpenClaw accepts this, and then does not do what was probably meant
}

// InvalidError says that a change would make the configuration invalid in ways in which it was not before.
type InvalidError struct{ Report Report }

func (e *InvalidError) Error() string {
	list := make([]string, len(e.Report.Issues))
	for i, issue := range e.Report.Issues {
		list[i] = issue.String()
	}
	return "OpenClaw would refuse this: " + strings.Join(list, "; ")
}

// Checker judges configurations. It is safe for use by several goroutines.
type Checker struct {
	cache   string
	program func() (string, error)
	log     *logrus.Entry

	mu      sync.Mutex
	schemas map[string]*Schema
}

// NewChecker makes a checker that keeps OpenClaw's schemas under a cache folder, one for each version. Program finds the
// openclaw program, such as by exec.LookPath; an error means that there is none.
func NewChecker(cache string, program func() (string, error), log *logrus.Entry) *Checker {
	return &Checker{cache: cache, program: program, log: log, schemas: map[string]*Schema{}}
}

// installed finds the program and its version, without running it: the package's own description says it.
func (c *Checker) installed() (program, version string, err error) {
	if program, err = c.program(); err != nil {
		return "", "", err
	}
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		return "", "", fmt.Errorf("find the openclaw program: %w", err)
	}
	for dir := filepath.Dir(real); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "package.json"))
		if err != nil {
			continue
		}
		var about struct{ Name, Version string }
		if json.Unmarshal(data, &about) == nil && about.Name == "openclaw" && about.Version != "" && !strings.ContainsAny(about.Version, `/\`) {
			return program, about.Version, nil
		}
	}
	return "", "", fmt.Errorf("%s does not belong to an npm package openclaw", program)
}

// Version is that of the installed OpenClaw; an error says that there is none.
func (c *Checker) Version() (string, error) {
	_, version, err := c.installed()
	return version, err
}

// Schema gives the schema of the installed version, if it is known: see Learn.
func (c *Checker) Schema() (*Schema, bool) {
	_, version, err := c.installed()
	if err != nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.schemas[version]; s != nil {
		return s, true
	}
	s, err := openSchema(c.cache, version)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.log.WithError(err).Warn("the cached schema of OpenClaw cannot be used")
		}
		return nil, false
	}
	c.schemas[version] = s
	return s, true
}

// Learn asks the installed OpenClaw for its schema, unless it is known. It takes some seconds. The error is that of the
// program, or of the cache folder.
func (c *Checker) Learn(ctx context.Context) error {
	if _, known := c.Schema(); known {
		return nil
	}
	program, version, err := c.installed()
	if err != nil {
		return err
	}
	printed, err := exec.CommandContext(ctx, program, "config", "schema").Output()
	if err != nil {
		return fmt.Errorf("openclaw config schema: %w", err)
	}
	return storeSchema(c.cache, version, printed)
}

// Check judges a configuration by the best means at hand: the schema if it is known, else OpenClaw itself on a staged
// copy, which takes seconds, else what we know ourselves.
func (c *Checker) Check(ctx context.Context, config *Config) (Report, error) {
	return c.check(ctx, config, config.Value(), true)
}

// check holds the parts of a configuration that are given against the schema, and the whole of it against all else.
func (c *Checker) check(ctx context.Context, config *Config, parts json5.Value, patient bool) (Report, error) {
	report := Report{By: ByOwn, Issues: config.crossReferences(), Doubts: config.doubts()}
	if s, known := c.Schema(); known {
		issues, err := s.Validate(parts)
		if err != nil {
			return report, err
		}
		report.By, report.Version, report.Issues = BySchema, s.Version, append(issues, report.Issues...)
		return report, nil
	}
	program, version, err := c.installed()
	if err == nil && patient && len(config.files) == 1 {
		issues, err := staged(ctx, program, config)
		if err == nil {
			report.By, report.Version, report.Issues = ByStaged, version, issues
			return report, nil
		}
		c.log.WithError(err).Warn("OpenClaw could not check a staged copy")
	}
	report.Issues = append(config.unknownKeys(), report.Issues...)
	return report, nil
}

// CheckChange judges a change. What was wrong before does not count, or a broken file could never be mended. The error is
// an *InvalidError; the report holds the new issues in any case.
func (c *Checker) CheckChange(ctx context.Context, before, after *Config) (Report, error) {
	return c.checkChange(ctx, before, after, true)
}

// CheckQuickly is CheckChange in milliseconds: where the schema is not known, our own checks have to do.
func (c *Checker) CheckQuickly(ctx context.Context, before, after *Config) (Report, error) {
	return c.checkChange(ctx, before, after, false)
}

func (c *Checker) checkChange(ctx context.Context, before, after *Config, patient bool) (Report, error) {
	was, is := before.Value(), after.Value()
	report, err := c.check(ctx, after, differing(is, was), patient)
	if err != nil {
		return report, err
	}
	if len(report.Issues) > 0 {
		old, err := c.check(ctx, before, differing(was, is), patient)
		if err != nil {
			return report, err
		}
		report.Issues = slices.DeleteFunc(report.Issues, func(i Issue) bool { return slices.Contains(old.Issues, i) })
	}
	report.Issues = append(report.Issues, metaLost(before, after)...)
	if len(report.Issues) > 0 {
		return report, &InvalidError{report}
	}
	return report, nil
}

// differing gives an object with those members only that another one has not got, or has with another value: what is the
// same in both cannot have become wrong.
func differing(v, other json5.Value) json5.Value {
	out := json5.ObjectValue()
	for _, m := range v.Members {
		if w, there := other.Member(m.Key); !there || !w.Equal(m.Value) {
			out.Members = append(out.Members, m)
		}
	}
	return out
}

// staged lets OpenClaw judge a copy beside the real file, so that relative paths mean the same.
func staged(ctx context.Context, program string, config *Config) ([]Issue, error) {
	temp, err := os.CreateTemp(filepath.Dir(config.root), ".openclaw.fraktalia-check-*.json")
	if err != nil {
		return nil, fmt.Errorf("stage a copy: %w", err)
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // nothing more can be done about a copy that cannot be removed
	_, err = temp.Write(config.Document().Bytes())
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("stage a copy: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, "config", "validate", "--json")
	cmd.Env = append(os.Environ(), "OPENCLAW_CONFIG_PATH="+temp.Name(), "OPENCLAW_CONFIG_READONLY=1")
	out, failed := cmd.Output()
	var answer struct {
		Valid  *bool
		Issues []Issue
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.Valid == nil {
		return nil, fmt.Errorf("openclaw config validate gave no readable answer: %w", errors.Join(err, failed))
	}
	for i := range answer.Issues {
		if answer.Issues[i].Path == "<root>" {
			answer.Issues[i].Path = ""
		}
	}
	if !*answer.Valid && len(answer.Issues) == 0 {
		return []Issue{{"", "OpenClaw calls the configuration invalid without saying why"}}, nil
	}
	return answer.Issues, nil
}
