package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// historyLength is how many edits !config history lists.
const historyLength = 20

func (r *run) configCommands() []*cobra.Command {
	config := &cobra.Command{
		Use:         "config history|undo [NUMBER]",
		Short:       "lists the changes of openclaw.json, or takes one back",
		Long:        "A change is taken back only while the file is as that change left it: take the newer ones back first.",
		Example:     "config history",
		Args:        some("history, or undo with a change's number"),
		Annotations: map[string]string{laneKey: agentsLane, jsonKey: "yes"},
		RunE:        r.does(config),
	}
	var yes bool
	undo := &cobra.Command{
		Use:         "undo [ROW]",
		Short:       "takes back the last thing that can be, or one row of the audit",
		Long:        "Said again, it takes back what was before that. With a row's number it shows first what it would do.",
		Example:     "undo 12",
		Args:        cobra.MaximumNArgs(1),
		Annotations: map[string]string{laneKey: agentsLane},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			if len(args) == 0 {
				return undo(ctx, r)
			}
			return undoRow(ctx, r, args[0], yes)
		}),
	}
	skipsQuestion(undo, &yes)
	return []*cobra.Command{config, undo}
}

func config(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	switch {
	case args[0] == "history" && len(args) == 1:
		return configHistory(ctx, r)
	case args[0] == "undo" && len(args) == 2:
		number, err := strconv.ParseInt(strings.TrimPrefix(args[1], "#"), 10, 64)
		if err != nil {
			return reply.Answer{}, Sorry("%.40q is no number of a change; %sconfig history lists them.", args[1], prompt(r.request))
		}
		return configUndo(ctx, r, number)
	}
	return reply.Answer{}, Sorry("Say %sconfig history, or %sconfig undo with a number from it.", prompt(r.request), prompt(r.request))
}

// editRow is one change for programs.
type editRow struct {
	Number  int64     `json:"number"`
	What    string    `json:"what"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Verdict string    `json:"verdict"`
	Undone  bool      `json:"undone"`
}

func configHistory(ctx context.Context, r *run) (reply.Answer, error) {
	edits, err := r.Records.ConfigEdits(ctx, historyLength)
	if err != nil {
		return reply.Answer{}, err
	}
	rows := make([]editRow, len(edits))
	table := reply.Table{Head: []string{"number", "when", "who", "what", "gateway"}}
	for i, e := range edits {
		rows[i] = editRow{e.ID, e.What, e.MadeBy, e.MadeAt, e.Verdict, e.Undone}
		verdict := e.Verdict
		if verdict == "begun" {
			verdict = "interrupted"
		}
		if e.Undone {
			verdict += ", taken back"
		}
		ago := strings.ToLower(units.HumanDuration(time.Since(e.MadeAt))) + " ago"
		table.Rows = append(table.Rows, []any{e.ID, ago, e.MadeBy, e.What, verdict})
	}
	if len(rows) == 0 {
		return reply.Answer{Doc: reply.Say("I have changed nothing in openclaw.json yet."), Data: rows}, nil
	}
	return reply.Answer{Doc: reply.Doc{table}, Data: rows}, nil
}

func configUndo(ctx context.Context, r *run, number int64) (reply.Answer, error) {
	edit, ok, err := r.Records.ConfigEdit(ctx, number)
	switch {
	case err != nil:
		return reply.Answer{}, err
	case !ok:
		return reply.Answer{}, Sorry("There is no change %d; %sconfig history lists them.", number, prompt(r.request))
	case edit.Undone:
		return reply.Answer{}, Sorry("Change %d (%s) is taken back already.", number, edit.What)
	case edit.Verdict == "rejected":
		return reply.Answer{}, Sorry("Change %d (%s) was put back when the gateway rejected it; nothing to do.", number, edit.What)
	}
	made := &written{run: r, what: fmt.Sprintf("undo of %d: %s", number, edit.What), valid: "as it was before " + edit.What, undoes: number}
	var back []store.ConfigFile
	for _, f := range edit.Files {
		back = append(back, store.ConfigFile{Path: f.Path, Before: f.After, After: f.Before})
	}
	outcome, err := made.write(ctx, back, func(note Written) (openclaw.Outcome, error) {
		return r.Agents.Restore(ctx, edit.Files, note)
	})
	if err != nil {
		return reply.Answer{}, err
	}
	return made.answer(ctx, outcome, func() reply.Doc { return r.movedBack(context.WithoutCancel(ctx), edit.What) })
}

// undo takes back the newest act of the journal that can be.
func undo(ctx context.Context, r *run) (reply.Answer, error) {
	row, ok, err := r.Records.LastUndoable(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	if !ok {
		return reply.Answer{}, Sorry("There is nothing that I could take back.")
	}
	return r.undoCommand(ctx, row)
}

// undoRow takes back one act of the audit, once an owner has seen how.
func undoRow(ctx context.Context, r *run, word string, yes bool) (reply.Answer, error) {
	number, err := strconv.ParseInt(strings.TrimPrefix(word, "#"), 10, 64)
	if err != nil {
		return reply.Answer{}, Sorry("%.40q is no number of a row; %saudit lists them.", word, prompt(r.request))
	}
	row, ok, err := r.Records.CommandAudited(ctx, number)
	line := reply.Mono("%s", shorten(Visible(Recorded(row.Line)), 120))
	switch {
	case err != nil:
		return reply.Answer{}, err
	case !ok:
		return reply.Answer{}, Sorry("There is no row %d; %saudit lists them.", number, prompt(r.request))
	case row.Undo == "":
		return reply.Answer{}, Sorry("Row %d (%s) cannot be taken back.", number, shorten(Recorded(row.Line), 120))
	case row.Undone:
		return reply.Answer{}, Sorry("Row %d (%s) is taken back already.", number, shorten(Recorded(row.Line), 120))
	}
	sure, err := r.confirm(ctx, yes, reply.Doc{reply.P("To take back ", line, " I would do this:"), reply.Code{Text: Visible(row.Undo)}})
	if err != nil {
		return reply.Answer{}, err
	}
	if !sure {
		return reply.Answer{}, Sorry("Nothing is taken back.")
	}
	return r.undoCommand(ctx, row)
}

func (r *run) undoCommand(ctx context.Context, row store.Command) (reply.Answer, error) {
	answer, err := r.takeBack(ctx, row.Undo)
	if err != nil {
		return reply.Answer{}, err
	}
	if err := r.Records.MarkUndone(context.WithoutCancel(ctx), row.ID); err != nil {
		return reply.Answer{}, err
	}
	answer.Doc = append(reply.Doc{reply.P("Taken back: ", reply.Mono("%s", shorten(Recorded(row.Line), 120)))}, answer.Doc...)
	answer.Undo, answer.Data = "", nil // said again, it takes back what was before
	return answer, nil
}
