package command

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// auditShown is how many rows the room sees; the file has all of them.
const auditShown = 30

func (r *run) auditFamily() []*cobra.Command {
	var by, since, name string
	var all, asFile bool
	audit := &cobra.Command{
		Use:   "audit [--by NAME] [--since TIME] [--command NAME] [--all] [--csv] | audit verify",
		Short: "who asked, who approved, what was done, how it ended, what undoes it",
		Long: "The record is only ever added to, and each row carries the hash of the one before: audit verify recomputes them all. " +
			"What only reads is left out, unless --all is said.",
		Example:     "audit --by mox --since 2d",
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			if len(args) == 1 && args[0] == "verify" {
				return verifyAudit(ctx, r)
			}
			if len(args) > 0 {
				return reply.Answer{}, Sorry("%.40q is nothing that audit knows; say verify, or use its flags.", args[0])
			}
			filter := store.AuditFilter{By: by, Command: strings.TrimPrefix(name, "!")}
			if since != "" {
				span, err := readTime(since)
				if err != nil {
					return reply.Answer{}, err
				}
				filter.Since = time.Now().Add(-span)
			}
			return showAudit(ctx, r, filter, all, asFile)
		}),
	}
	audit.Flags().StringVar(&by, "by", "", "what an account asked or approved, by a part of its `name`")
	audit.Flags().StringVar(&since, "since", "", "of the last `time`, e.g. 2d")
	audit.Flags().StringVar(&name, "command", "", "of one `command`, e.g. forward")
	audit.Flags().BoolVar(&all, "all", false, "also what only reads")
	audit.Flags().BoolVar(&asFile, "csv", false, "all of it as a file")
	return []*cobra.Command{audit}
}

// auditRow is one act for programs.
type auditRow struct {
	Seq        int64     `json:"seq"`
	At         time.Time `json:"at"`
	Act        string    `json:"act"`
	Command    int64     `json:"command"`
	By         string    `json:"by"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	Line       string    `json:"line"`
	Outcome    string    `json:"outcome"`
	Undo       string    `json:"undo,omitempty"`
	Hash       string    `json:"hash"`
}

func showAudit(ctx context.Context, r *run, filter store.AuditFilter, all, asFile bool) (reply.Answer, error) {
	asJSON := slices.Contains(r.request.Args, "--json")
	found, err := r.Records.Audit(ctx, filter)
	if err != nil {
		return reply.Answer{}, err
	}
	reads := newReadOnly()
	rows := []auditRow{}
	for _, a := range found {
		if all || !reads.is(a.Line) || a.Act != string(store.Done) && a.Act != string(store.Failed) {
			rows = append(rows, auditRow{a.Seq, a.At, a.Act, a.CommandID, a.Sender, a.ApprovedBy, a.Line, a.Outcome, a.Undo, a.Hash})
		}
		if !asJSON && !asFile && len(rows) > auditShown {
			break
		}
	}
	if len(rows) == 0 {
		return reply.Answer{Doc: reply.Say("Nothing of that kind was done."), Data: rows}, nil
	}
	if asFile {
		return reply.Answer{Doc: reply.Sayf("%d rows, as a file.", len(rows)), Data: rows}, r.talk.Attach(ctx, csvOf(rows))
	}
	return reply.Answer{Doc: auditTable(r, rows), Data: rows}, nil
}

func auditTable(r *run, rows []auditRow) reply.Doc {
	table := reply.Table{Head: []string{"row", "when", "who", "what", "how it ended"}}
	for _, a := range rows[:min(len(rows), auditShown)] {
		who := a.By
		if a.ApprovedBy != "" {
			who += ", by the word of " + a.ApprovedBy
		}
		end := a.Act
		if a.Outcome != "" {
			end += ": " + shorten(Visible(a.Outcome), 80)
		}
		table.Rows = append(table.Rows, []any{a.Seq, a.At.Format("2 Jan 15:04"), who, reply.Mono("%s", shorten(Visible(a.Line), 80)), end})
	}
	doc := reply.Doc{table}
	if len(rows) > auditShown {
		doc = append(doc, reply.P("… and older ones. ", reply.Mono("%saudit --csv", prompt(r.request)), " gives all of them as a file."))
	}
	return doc
}

func csvOf(rows []auditRow) reply.File {
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	_ = out.Write([]string{"seq", "at", "act", "command", "by", "approved_by", "line", "outcome", "undo", "hash"}) // into memory: never fails
	for _, a := range rows {
		_ = out.Write([]string{strconv.FormatInt(a.Seq, 10), a.At.UTC().Format(time.RFC3339), a.Act, strconv.FormatInt(a.Command, 10), safeCell(a.By), safeCell(a.ApprovedBy),
			safeCell(a.Line), safeCell(a.Outcome), safeCell(a.Undo), a.Hash})
	}
	out.Flush()
	return reply.File{Name: "audit-" + time.Now().Format("2006-01-02-150405") + ".csv", Type: "text/csv", Size: int64(text.Len()), Body: &text}
}

// safeCell keeps a spreadsheet from running what somebody typed as a formula.
func safeCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func verifyAudit(ctx context.Context, r *run) (reply.Answer, error) {
	n, last, err := r.Records.VerifyAudit(ctx)
	var broken *store.AuditBrokenError
	if errors.As(err, &broken) {
		return reply.Answer{}, Because(err, "The record does not hold at row %d: somebody has changed the database by hand. Compare it with a backup.", broken.Seq)
	}
	if err != nil {
		return reply.Answer{}, err
	}
	if n == 0 {
		return reply.Answer{Doc: reply.Say("The record is empty.")}, nil
	}
	return reply.Answer{Doc: reply.Say(fmt.Sprintf("The record holds: %d rows, unchanged. The last one's hash is ", n), reply.Mono("%s", last),
		"; kept elsewhere, it also proves later that no row was cut off at the end.")}, nil
}

// readOnly tells lines that change nothing, each name looked up once.
type readOnly struct{ known map[string]bool }

func newReadOnly() readOnly { return readOnly{map[string]bool{}} }

func (o readOnly) is(line string) bool {
	name, rest, _ := strings.Cut(strings.TrimPrefix(line, "!"), " ")
	if strings.Contains(rest, "--orphans") {
		return false // it asks what to remove
	}
	if quick, ok := o.known[name]; ok {
		return quick
	}
	cmd, err := find((&run{}).tree(), Request{Args: []string{name}})
	o.known[name] = err == nil && cmd.Annotations[quickKey] != ""
	return o.known[name]
}
