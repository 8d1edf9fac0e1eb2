package openclaw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/openclaw/safefile"
)

// Plan is a change of the configuration that can be shown, checked, and then done. Between showing and doing any time
// may pass: what others change meanwhile stays, and what does not fit any more is refused.
type Plan struct {
	base  *Config
	after *Config
	edit  func(*Config) ([]json5.Operation, error)
}

// Plan works out a change. Edit is asked for the operations, again if the files have changed by the time of Commit.
func (c *Config) Plan(edit func(*Config) ([]json5.Operation, error)) (*Plan, error) {
	operations, err := edit(c)
	if err != nil {
		return nil, err
	}
	after, err := c.Apply(operations...)
	if err != nil {
		return nil, err
	}
	return &Plan{c, after, edit}, nil
}

// Operations makes a plan's edit of operations that are known beforehand.
func Operations(list ...json5.Operation) func(*Config) ([]json5.Operation, error) {
	return func(*Config) ([]json5.Operation, error) { return list, nil }
}

// Before is the configuration that the plan starts from, After the one it leads to.
func (p *Plan) Before() *Config { return p.base }

// After is the configuration once the plan is done.
func (p *Plan) After() *Config { return p.after }

// Changes lists what happens to each file, in the order of their names.
func (p *Plan) Changes() []Change {
	var list []Change
	for name, f := range p.base.files {
		if made := change(name, f.Bytes(), p.after.files[name].Bytes()); made.Changed {
			list = append(list, made)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list
}

// Diff is the difference over all files, secrets hidden.
func (p *Plan) Diff() string {
	var out strings.Builder
	for _, made := range p.Changes() {
		out.WriteString(made.Diff)
	}
	return out.String()
}

// Commit writes the plan. Should one of several files fail, those already written are put back. Where somebody else has
// changed a file meanwhile, the plan is made anew on what is there now, provided that the plan's own difference is still
// the same; else a *ConflictError says what they changed. Other errors are those of safefile.Save and Config.Apply.
func (p *Plan) Commit(ctx context.Context) ([]Change, error) {
	current := p
	for range attempts {
		done, err := current.write(ctx)
		var changed *safefile.ChangedError
		if !errors.As(err, &changed) {
			return done, err
		}
		if current, err = p.again(changed.Path); err != nil {
			return nil, err
		}
	}
	return nil, &ConflictError{p.base.root, "the file again and again", ""}
}

// again makes the plan anew on the files as they are now.
func (p *Plan) again(path string) (*Plan, error) {
	now, err := LoadConfig(p.base.root)
	if err != nil {
		return nil, err
	}
	conflict := &ConflictError{Path: path, At: "what this change is about"}
	if was, is := p.base.files[path], now.files[path]; was != nil && is != nil {
		conflict.Diff = Diff(path, was.Bytes(), is.Bytes())
	}
	renewed, err := now.Plan(p.edit)
	if err != nil || !slices.Equal(renewed.changedLines(), p.changedLines()) {
		return nil, conflict
	}
	return renewed, nil
}

// changedLines lists the lines that a plan adds and removes, wherever these stand.
func (p *Plan) changedLines() []diffLine {
	var list []diffLine
	for _, made := range p.Changes() {
		for _, line := range compare(split(string(made.Before)), split(string(made.After))) {
			if line.mark != ' ' {
				list = append(list, line)
			}
		}
	}
	return list
}

func (p *Plan) write(ctx context.Context) ([]Change, error) {
	var done []Change
	for _, made := range p.Changes() {
		file := *p.base.files[made.Path].file // a copy: the plan's own starting point stays as it was
		backup, err := file.Save(ctx, made.After)
		if err != nil {
			return nil, p.putBack(ctx, done, err)
		}
		made.Backup = backup
		done = append(done, made)
	}
	return done, nil
}

// putBack undoes the files of a plan that were written before one failed.
func (p *Plan) putBack(ctx context.Context, done []Change, cause error) error {
	for _, made := range done {
		if _, err := Restore(context.WithoutCancel(ctx), made.Path, made.After, made.Before); err != nil {
			return fmt.Errorf("%w; %s was written already and could not be put back: %w", cause, made.Path, err)
		}
	}
	return cause
}
