package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// ConfigFile is OpenClaw's configuration, and the gateway that runs with it.
type ConfigFile interface {
	// Load reads the configuration as it stands.
	Load() (*openclaw.Config, error)
	// Value reads what a person typed, as OpenClaw's schema types the path
	// where the schema is known.
	Value(path json5.Path, typed string) (json5.Value, error)
	// Check judges a change; the error is an *openclaw.InvalidError.
	Check(ctx context.Context, plan *openclaw.Plan) (openclaw.Report, error)
	// Commit writes a plan, calls written, and tells what became of it. Asking
	// is false where no gateway can be asked, so the verdict comes at once.
	Commit(ctx context.Context, plan *openclaw.Plan, written Written) (openclaw.Outcome, error)
	// Restore puts the contents back that files had before an edit. Errors:
	// *openclaw.ConflictError, *BackupGone.
	Restore(ctx context.Context, files []store.ConfigFile, written Written) (openclaw.Outcome, error)
}

// Written is told of changes once they are in their files.
type Written func(changes []openclaw.Change, asking bool)

// BackupGone says that an edit's earlier content is not there any more.
type BackupGone struct{ Path string }

func (e *BackupGone) Error() string { return "the backup " + e.Path + " is gone or has been changed" }

// OtherFile says that the gateway runs with another file than ours.
type OtherFile struct{ Path string }

func (e *OtherFile) Error() string { return "the gateway runs with " + e.Path }

// change is a command's change of the configuration.
type change struct {
	// what names it in the history.
	what string
	edit openclaw.EditFunc
	// ask, where it is set, is asked with the difference before anything is
	// written, unless yes.
	ask reply.Line
	yes bool
	// begin is called when it is sure that it will be tried to write.
	begin func(ctx context.Context) error
	// after does what belongs to the change outside of the file, once it is
	// written and not rejected.
	after func(ctx context.Context, before *openclaw.Config) reply.Doc
	// next tells what to do next.
	next reply.Doc
	// outcome, where it is set, is told what the gateway did.
	outcome *openclaw.Outcome
}

// change previews, checks, asks, writes, and follows what the gateway does.
func (r *run) change(ctx context.Context, c change) (reply.Answer, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return reply.Answer{}, r.configProblem(err)
	}
	plan, err := config.Plan(c.edit)
	if err != nil {
		return reply.Answer{}, r.configProblem(err)
	}
	diff := plan.Diff()
	if diff == "" {
		return reply.Answer{Doc: reply.Say("It is so already; nothing was changed.")}, nil
	}
	report, err := r.Agents.Check(ctx, plan)
	if err != nil {
		return reply.Answer{}, r.configProblem(err)
	}
	if len(c.ask) > 0 {
		yes, err := r.confirm(ctx, c.yes, reply.Doc{diffBlock(diff), reply.P(c.ask...)})
		if err != nil {
			return reply.Answer{}, err
		}
		if !yes {
			return reply.Answer{}, Sorry("Not done; nothing was changed.")
		}
	}
	if c.begin != nil {
		if err := c.begin(ctx); err != nil {
			return reply.Answer{}, err
		}
	}
	made := &written{run: r, what: c.what, valid: validity(report), diff: diff}
	outcome, err := made.write(ctx, configFiles(plan.Changes()), func(note Written) (openclaw.Outcome, error) {
		return r.Agents.Commit(ctx, plan, note)
	})
	if err != nil {
		return reply.Answer{}, err
	}
	if c.outcome != nil {
		*c.outcome = outcome
	}
	return made.answer(ctx, outcome, func() reply.Doc {
		if c.after == nil {
			return c.next
		}
		return append(c.after(context.WithoutCancel(ctx), plan.Before()), c.next...)
	})
}

// written is a change on its way into its files and through the gateway.
type written struct {
	*run
	what    string
	valid   string // how far it is known to be valid
	diff    string
	undoes  int64 // the number of the edit that it takes back; 0 is none
	number  int64 // its own in the history
	unnoted error // why the history is not what it should be
}

// write has the history know of the change before it is made.
func (w *written) write(ctx context.Context, files []store.ConfigFile, do func(Written) (openclaw.Outcome, error)) (o openclaw.Outcome, err error) {
	kept := context.WithoutCancel(ctx)
	edit := store.ConfigEdit{What: w.what, MadeBy: w.request.Sender, MadeAt: time.Now(), Undoes: w.undoes, Files: files}
	if w.number, err = w.Records.BeginConfigEdit(kept, edit); err != nil {
		return o, err
	}
	crashpoint.At("config.begun")
	done := false
	o, err = do(func(changes []openclaw.Change, asking bool) {
		done = true
		crashpoint.At("config.written")
		w.unnoted = w.Records.WroteConfigEdit(kept, w.number, configFiles(changes))
		if w.diff == "" {
			w.diff = joinedDiff(changes)
		}
		if asking {
			w.talk.Update(reply.Doc{reply.P("Written, ", w.valid, ". Asking the gateway …"), diffBlock(w.diff)})
		}
	})
	if err != nil && !done {
		return o, errors.Join(w.configProblem(err), w.Records.DropConfigEdit(kept, w.number))
	}
	return o, w.configProblem(err)
}

func joinedDiff(changes []openclaw.Change) string {
	var diff strings.Builder
	for _, c := range changes {
		diff.WriteString(c.Diff)
	}
	return diff.String()
}

// configFiles are changes as the record keeps them.
func configFiles(changes []openclaw.Change) []store.ConfigFile {
	files := make([]store.ConfigFile, len(changes))
	for i, c := range changes {
		files[i] = store.ConfigFile{Path: c.Path, Before: contentHash(c.Before), After: contentHash(c.After), Backup: c.Backup}
	}
	return files
}

// contentHash stands for a file's content in the record: the content itself
// holds secrets, and is kept in the backups beside the file only.
func contentHash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// answer tells the end: applied, rejected and put back, or not known.
func (w *written) answer(ctx context.Context, o openclaw.Outcome, after func() reply.Doc) (reply.Answer, error) {
	if err := w.Records.JudgeConfigEdit(context.WithoutCancel(ctx), w.number, string(o.Verdict)); err != nil {
		w.unnoted = err
	}
	if o.Verdict == openclaw.Rejected {
		return reply.Answer{}, &Problem{
			Sentence: "The gateway rejected it, so I put the file back as it was: " + sentenceCase(issueText(o.Issues)),
			Detail:   reply.Doc{diffBlock(w.diff)},
		}
	}
	doc := reply.Doc{reply.P("Written, ", w.valid, "; ", gatewayText(o), "."), diffBlock(w.diff)}
	if w.unnoted != nil {
		return reply.Answer{}, fmt.Errorf("%s is written, but not in the record: %w", w.what, w.unnoted)
	}
	return reply.Answer{Doc: append(doc, after()...), Undo: fmt.Sprintf("config undo %d", w.number)}, nil
}

// validity tells how thorough the check was.
func validity(report openclaw.Report) string {
	if report.By == openclaw.ByOwn {
		return "valid as far as I can tell without OpenClaw's schema (only top-level names, ids and bindings were checked)"
	}
	return "valid for OpenClaw " + report.Version
}

// gatewayText tells what the gateway does with what was written.
func gatewayText(o openclaw.Outcome) string {
	var down *openclaw.GatewayDownError
	var status *openclaw.GatewayStatusError
	var far *openclaw.NotLoopbackError
	var other *OtherFile
	switch {
	case errors.As(o.Err, &other):
		return "but the gateway at openclaw.gateway runs with another file, " + other.Path + ", so this does nothing there"
	case o.Verdict == openclaw.Applied:
		return fmt.Sprintf("applied by the gateway after %.1f s", o.Took.Seconds())
	case errors.As(o.Err, &down) && !down.Refused() && down.Err != nil:
		return "the gateway does not answer in time, so I do not know whether it applied it"
	case errors.As(o.Err, &down):
		return "the gateway is down: it takes effect when it starts"
	case errors.As(o.Err, &status) && status.Status == 404:
		return "the gateway cannot be asked whether it applied it (its plugin admin-http-rpc is off)"
	case errors.As(o.Err, &status):
		return fmt.Sprintf("the gateway does not let me ask whether it applied it (%d; openclaw.gateway_token_file names its token)", status.Status)
	case errors.As(o.Err, &far):
		return "the gateway is not on this machine, so I do not ask whether it applied it"
	case errors.Is(o.Err, context.DeadlineExceeded):
		return "the gateway has not said in time whether it applied it"
	}
	return "the gateway cannot be asked whether it applied it; the log says why"
}

// maxDiff bounds a difference in an answer, in bytes: a message may have 64 kB
// with both its renderings.
const maxDiff = 12 << 10

func diffBlock(diff string) reply.Code {
	if len(diff) > maxDiff {
		cut := strings.LastIndexByte(diff[:maxDiff], '\n') + 1
		diff = diff[:cut] + fmt.Sprintf("… and %d lines more\n", strings.Count(diff[cut:], "\n"))
	}
	return reply.Code{Language: "diff", Text: diff}
}
