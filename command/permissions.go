package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/workspace"
)

// Permissions is what fix-permissions acts on.
type Permissions interface {
	// SharedFolders lists the folders that agents share with their containers.
	SharedFolders(ctx context.Context) ([]SharedFolder, error)
	// RecordMending remembers what is about to be changed, and Mending gives it
	// again. Errors: fs.ErrNotExist.
	RecordMending(agent string, plan workspace.Plan) (id string, err error)
	Mending(id string) (agent string, plan workspace.Plan, err error)
}

// SharedFolder is a folder that an agent and its container write to.
type SharedFolder struct {
	Agent string
	workspace.Folder
	// Refused says why it is not looked at; "" where it is.
	Refused string
}

// shownChanges is how many changes are listed one by one.
const shownChanges = 15

func (r *run) permissionsFamily() []*cobra.Command {
	var dry bool
	var back string
	cmd := &cobra.Command{
		Use:   "fix-permissions [AGENT] [--dry-run]",
		Short: "mends files in agents' workspaces that host and container cannot both use",
		Long: "Files that a tool made for its own user alone, and what root has left behind, get the owner, the group and the group's rights of the workspace itself. " +
			"It never touches keys, .env, .ssh, .git, links and files with a second name, and nobody outside the group gets a right. undo takes it back.",
		Example:     "fix-permissions mox --dry-run",
		Args:        atMost(1),
		Annotations: map[string]string{laneKey: "permissions", jsonKey: "yes", interruptedKey: "Some files may be mended; say it again for the rest."},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			if back != "" {
				return restorePermissions(ctx, r, back)
			}
			return fixPermissions(ctx, r, first(args), dry)
		}),
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be changed")
	cmd.Flags().StringVar(&back, "back", "", "take back what was changed under this `number`")
	cmd.Flags().Lookup("back").Hidden = true // undo's
	return []*cobra.Command{cmd}
}

// Mended is what came of one folder, for programs.
type Mended struct {
	Agent   string             `json:"agent"`
	Folder  string             `json:"folder"`
	Seen    int                `json:"seen"`
	Changes []workspace.Change `json:"changes"`
	Left    []workspace.Left   `json:"left"`
	LeftAll int                `json:"left_all"`
	// Problem says why the folder was not looked at.
	Problem string `json:"problem,omitempty"`

	record string
}

func fixPermissions(ctx context.Context, r *run, whose string, dry bool) (reply.Answer, error) {
	folders, err := r.foldersOf(ctx, whose)
	if err != nil {
		return reply.Answer{}, err
	}
	var all []Mended
	for _, folder := range folders {
		r.talk.Update(reply.Say("Looking at ", reply.Mono("%s", folder.Path), " …"))
		m, err := MendFolder(ctx, r.Permissions, folder, dry)
		if err != nil {
			return reply.Answer{}, err
		}
		all = append(all, m)
	}
	answer := reply.Answer{Data: all}
	var undo []string
	for _, m := range all {
		answer.Doc = append(answer.Doc, m.doc(dry)...)
		if m.record != "" {
			undo = append(undo, "fix-permissions --back "+m.record)
		}
	}
	answer.Undo = strings.Join(undo, "\n")
	return answer, nil
}

// foldersOf are the folders of an agent, or of all.
func (r *run) foldersOf(ctx context.Context, whose string) ([]SharedFolder, error) {
	folders, err := r.Permissions.SharedFolders(ctx)
	if err != nil {
		return nil, r.configProblem(err)
	}
	var found []SharedFolder
	var known []string
	for _, f := range folders {
		known = append(known, f.Agent)
		if whose == "" || f.Agent == whose {
			found = append(found, f)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case whose == "":
		return nil, Sorry("There is no workspace that an agent shares with a sandbox.")
	}
	if config, err := r.Agents.Load(); err == nil {
		if _, err := config.Agent(whose); err == nil {
			return nil, Sorry("%s has no workspace that it shares with a sandbox: it has none yet, or its sandbox is off.", whose)
		}
	}
	return nil, r.agentProblem(&openclaw.UnknownAgentError{ID: whose, Nearest: json5.Nearest(whose, known), Known: known})
}

// MendFolder looks at one folder and mends it, unless dry; what it is about to
// change is remembered first. The error is the context's or an internal one.
func MendFolder(ctx context.Context, records Permissions, folder SharedFolder, dry bool) (Mended, error) {
	m := Mended{Agent: folder.Agent, Folder: folder.Path, Problem: folder.Refused, Changes: []workspace.Change{}, Left: []workspace.Left{}}
	if m.Problem != "" {
		return m, nil
	}
	plan, err := workspace.Look(ctx, folder.Folder)
	if err != nil {
		m.Problem, err = folderProblem(err)
		return m, err
	}
	m.Seen, m.Left, m.LeftAll = plan.Seen, append(m.Left, plan.Left...), plan.LeftAll
	if dry || len(plan.Changes) == 0 {
		m.Changes = append(m.Changes, plan.Changes...)
		return m, nil
	}
	if m.record, err = records.RecordMending(folder.Agent, plan); err != nil {
		return m, err
	}
	crashpoint.At("permissions.recorded")
	result, err := plan.Mend(ctx)
	m.Changes = append(m.Changes, result.Changed...)
	m.Left, m.LeftAll = append(m.Left, result.Left...), m.LeftAll+len(result.Left)
	return m, err
}

// folderProblem says why a folder cannot be looked at; what is no fault of the
// folder's stays an error.
func folderProblem(err error) (string, error) {
	var apart *workspace.NotSharedError
	switch {
	case errors.As(err, &apart):
		return fmt.Sprintf("it belongs to %d:%d and the container runs as %d:%d, which share no group: set sandbox.docker.user of the agent to \"%[1]d:%[2]d\"",
			apart.Owner.UID, apart.Owner.GID, apart.Guest.UID, apart.Guest.GID), nil
	case errors.Is(err, workspace.ErrOldKernel):
		return "this needs Linux 5.6 or later, where files can be opened safely", nil
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such folder", nil
	case errors.Is(err, fs.ErrPermission):
		return "this program may not look into it", nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", err
	}
	return "it cannot be opened safely: " + err.Error(), nil
}

func (m Mended) doc(dry bool) reply.Doc {
	head := reply.Line{reply.Bold("%s", m.Agent), ", ", reply.Mono("%s", m.Folder), ": "}
	if m.Problem != "" {
		return reply.Doc{reply.P(append(head, "not looked at, because "+m.Problem+".")...)}
	}
	did := "mended"
	if dry {
		did = "to be mended"
	}
	said := fmt.Sprintf("%d of %d files and folders %s.", len(m.Changes), m.Seen, did)
	if len(m.Changes) == 0 {
		said = fmt.Sprintf("all well (%d files and folders).", m.Seen)
	}
	doc := reply.Doc{reply.P(append(head, said)...)}
	if len(m.Changes) > 0 {
		table := reply.Table{Head: []string{"file", "was", "is", "why"}}
		if dry {
			table.Head[2] = "will be"
		}
		for _, c := range m.Changes[:min(len(m.Changes), shownChanges)] {
			table.Rows = append(table.Rows, []any{reply.Mono("%s", shorten(c.Path, 80)), c.Was.String(), c.Will.String(), c.Why()})
		}
		doc = append(doc, table)
		if more := len(m.Changes) - shownChanges; more > 0 {
			doc = append(doc, reply.P(fmt.Sprintf("and %d more.", more)))
		}
	}
	return append(doc, m.leftDoc()...)
}

// leftDoc tells what stays as it is, a line for each reason.
func (m Mended) leftDoc() reply.Doc {
	if m.LeftAll == 0 {
		return nil
	}
	var list reply.List
	counts := map[string]int{}
	var order []string
	for _, l := range m.Left {
		if counts[l.Reason] == 0 {
			order = append(order, l.Reason)
			list.Items = append(list.Items, reply.Line{reply.Mono("%s", shorten(l.Path, 80)), ": " + l.Reason})
		}
		counts[l.Reason]++
	}
	for i, reason := range order {
		if n := counts[reason]; n > 1 {
			list.Items[i] = append(list.Items[i], fmt.Sprintf(", and %d more such", n-1))
		}
	}
	return reply.Doc{reply.P(fmt.Sprintf("%d left as they are:", m.LeftAll)), list}
}

// restorePermissions takes an earlier mending back.
func restorePermissions(ctx context.Context, r *run, id string) (reply.Answer, error) {
	agent, plan, err := r.Permissions.Mending(id)
	if errors.Is(err, fs.ErrNotExist) {
		return reply.Answer{}, Sorry("What was mended under %.40s is not remembered any more; the last 50 times are.", id)
	}
	if err != nil {
		return reply.Answer{}, err
	}
	result, err := workspace.Restore(ctx, plan.Folder, plan.Changes)
	if err != nil {
		problem, err := folderProblem(err)
		if err != nil {
			return reply.Answer{}, err
		}
		return reply.Answer{}, Sorry("Not taken back: %s.", problem)
	}
	m := Mended{Agent: agent, Folder: plan.Folder, Left: result.Left, LeftAll: len(result.Left)}
	doc := reply.Doc{reply.P(reply.Bold("%s", agent), ", ", reply.Mono("%s", plan.Folder), fmt.Sprintf(": %d of %d files are as they were before.", len(result.Changed), len(plan.Changes)))}
	return reply.Answer{Doc: append(doc, m.leftDoc()...)}, nil
}

// MendedNote tells of files that were mended without anybody asking.
func MendedNote(n int) reply.Doc {
	return reply.Say(fmt.Sprintf("I mended %d %s in the agents' workspaces that host and container could not both use; the log names the times. ", n, plural(n, "file", "files")),
		"sandbox.fix_permissions in fraktalia.yaml has me look; you hear of it once a day at most.")
}
