package json5

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/openclaw/programs"
)

// wholeProcess measures one command from its start to its end, on a file of 10 kB: ours, OpenClaw's own, and jq's.
func (b *bench) wholeProcess() error {
	installed, err := programs.Install(context.Background(), programs.DefaultCache(), func(programs.Step) {})
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "bench-config-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home) //nolint:errcheck // a folder in the one for temporary ones
	p := &process{home: home, file: filepath.Join(home, "openclaw.json"), content: text(10_000)}
	p.env = append(os.Environ(), "PATH="+installed.Path(), "OPENCLAW_STATE_DIR="+home, "OPENCLAW_CONFIG_PATH="+p.file, "HOME="+home)
	if cache, err := os.UserCacheDir(); err == nil {
		p.env = append(p.env, "XDG_CACHE_HOME="+cache)
	}
	return p.measure(b, filepath.Join(installed.Bin(), "openclaw"))
}

type process struct {
	home, file string
	content    []byte
	env        []string
}

func (p *process) measure(b *bench, theirs string) error {
	ours := b.program
	if ours == "" {
		var err error
		if ours, err = os.Executable(); err != nil {
			return err
		}
	}
	where := lastPath(p.content)
	if err := p.run(ours, "config", "validate"); err != nil { // learns OpenClaw's schema, once for each version
		return err
	}
	mine, err := p.time(15, p.content, ours, "config", "set", where, "8g")
	if err != nil {
		return err
	}
	kept := p.comments()
	openclaw, err := p.time(3, p.content, theirs, "config", "set", where, `"8g"`, "--strict-json")
	if err != nil {
		return err
	}
	b.report("process-set", mine, "openclaw-config-set", openclaw)
	fmt.Fprintf(b.out, "bench config comments-kept ours=%d openclaw-config-set=%d of=%d\n", kept, p.comments(), bytes.Count(p.content, []byte("//")))
	return p.jq(b, mine, where)
}

// jq edits a copy in plain JSON, since it reads no other, and replaces the file as people do by hand.
func (p *process) jq(b *bench, ours time.Duration, where string) error {
	doc, err := json5.Parse(p.content)
	if err != nil {
		return err
	}
	script := fmt.Sprintf(`jq '.%s = "8g"' %s > %s.new && mv %s.new %s`, where, p.file, p.file, p.file, p.file)
	theirs, err := p.time(15, doc.Root().Value().JSON("  "), "sh", "-c", script)
	if err != nil {
		return err
	}
	b.report("process-set", ours, "jq", theirs)
	return nil
}

// time puts the content in place before each run, and gives the middle time of the runs.
func (p *process) time(runs int, content []byte, name string, args ...string) (time.Duration, error) {
	spent := make([]time.Duration, runs)
	for i := range spent {
		if err := os.WriteFile(p.file, content, 0o600); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := p.run(name, args...); err != nil {
			return 0, err
		}
		spent[i] = time.Since(start)
	}
	slices.Sort(spent)
	return spent[runs/2], nil
}

func (p *process) run(name string, args ...string) error {
	if _, err := os.Stat(p.file); err != nil {
		if err := os.WriteFile(p.file, p.content, 0o600); err != nil {
			return err
		}
	}
	cmd := exec.Command(name, args...)
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// comments counts those that are left in the file.
func (p *process) comments() int {
	data, err := os.ReadFile(p.file)
	if err != nil {
		return 0
	}
	return bytes.Count(data, []byte("//"))
}
