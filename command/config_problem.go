package command

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/openclaw/safefile"
	"github.com/githabideri/fraktalia/reply"
)

// configProblem words why something about OpenClaw's configuration did not
// work. Nothing has been changed then.
func (r *run) configProblem(err error) error {
	if err == nil {
		return nil
	}
	for _, words := range []func(error) error{r.agentProblem, r.roomProblem, valueProblem, pathProblem, fileProblem} {
		if problem := words(err); problem != nil {
			return problem
		}
	}
	return err
}

// agentProblem is about agents.
func (r *run) agentProblem(err error) error {
	var unknown *openclaw.UnknownAgentError
	var exists *openclaw.AgentExistsError
	var twice *openclaw.DuplicateAgentError
	var id *openclaw.AgentIDError
	var both *openclaw.BothShapesError
	switch {
	case errors.As(err, &unknown):
		return Because(err, "There is no agent %.64s.%s", unknown.ID, nearest(unknown.Nearest, "The agents are "+strings.Join(unknown.Known, ", ")+".", len(unknown.Known)))
	case errors.As(err, &exists):
		return Because(err, "There is an agent %s already; %sagent %s shows it.", exists.ID, prompt(r.request), exists.ID)
	case errors.As(err, &twice):
		return Because(err, "The agent %s is in openclaw.json twice; remove one of the entries by hand first.", twice.ID)
	case errors.As(err, &id):
		return Because(err, "OpenClaw takes no agent id %.80q: use up to 64 of a-z, 0-9, _ and -, and do not begin with -.", id.ID)
	case errors.As(err, &both):
		return Because(err, "%s has its agents in both shapes, agents.list and agents.entries; move all of them into one by hand first.", both.Path)
	}
	return nil
}

// nearest offers names, or else what there is.
func nearest(names []string, otherwise string, known int) string {
	switch {
	case len(names) > 0:
		return " Did you mean " + strings.Join(names, " or ") + "?"
	case known > 0:
		return " " + otherwise
	}
	return ""
}

// roomProblem is about rooms.
func (r *run) roomProblem(err error) error {
	var unknown *UnknownRoom
	var ambiguous *AmbiguousRoom
	var unbound *openclaw.UnboundRoomError
	switch {
	case errors.As(err, &unknown):
		return Because(err, "I am in no room %.200q: give its id, alias or name, or invite me to it.%s", unknown.Text,
			nearest(nil, "I am in "+strings.Join(unknown.Known, ", ")+".", len(unknown.Known)))
	case errors.As(err, &ambiguous):
		return Because(err, "Several rooms are called %.200q: give the id, one of %s.", ambiguous.Text, strings.Join(ambiguous.IDs, ", "))
	case errors.As(err, &unbound):
		return Because(err, "No agent is bound to the room %s.%s", unbound.Room, nearest(nil, "Bound are "+strings.Join(unbound.Bound, ", ")+".", len(unbound.Bound)))
	}
	return nil
}

// valueProblem is about what was to be written.
func valueProblem(err error) error {
	var unknown *openclaw.UnknownPathError
	var invalid *openclaw.InvalidError
	var missing *openclaw.NotInListError
	var conflict *openclaw.ConflictError
	switch {
	case errors.As(err, &unknown):
		return Because(err, "OpenClaw knows no %s in an agent's entry.%s", unknownName(unknown),
			nearest(unknown.Nearest, "There are "+shorten(strings.Join(unknown.Names, ", "), 300)+".", len(unknown.Names)))
	case errors.As(err, &invalid):
		return Because(err, "OpenClaw would refuse this, so nothing was written: %s", sentenceCase(issueText(invalid.Report.Issues)))
	case errors.As(err, &missing):
		return Because(err, "%s does not hold %.80s.%s", missing.Path, missing.Value, nearest(nil, "It holds "+shorten(strings.Join(missing.Holds, ", "), 300)+".", len(missing.Holds)))
	case errors.As(err, &conflict):
		return &Problem{Sentence: fmt.Sprintf("Somebody else has changed %s meanwhile, so I changed nothing. Look at it, and say it again.", conflict.Path),
			Detail: reply.Doc{diffBlock(conflict.Diff)}, Cause: err}
	}
	return nil
}

// unknownName is the part of a path that OpenClaw does not know, as it was typed.
func unknownName(e *openclaw.UnknownPathError) string {
	within := e.Within
	if rest, ok := strings.CutPrefix(within, "agents.entries."); ok {
		_, within, _ = strings.Cut(rest, ".")
	}
	if within == "" {
		return e.Missing
	}
	return within + "." + e.Missing
}

// issueText lists what OpenClaw says of a configuration.
func issueText(issues []openclaw.Issue) string {
	list := make([]string, len(issues))
	for i, issue := range issues {
		list[i] = issue.String()
	}
	return orElse(shorten(strings.Join(list, "; "), 800), "it did not say why")
}

// pathProblem is about where in the document something is.
func pathProblem(err error) error {
	var path *json5.PathError
	var missing *json5.NotFoundError
	var twice *json5.DuplicateKeyError
	var ambiguous *json5.AmbiguousError
	var kind *json5.KindError
	var operation *json5.OperationError
	var check *json5.CheckError
	switch {
	case errors.As(err, &path):
		return Because(err, "I cannot read the path %.80q: %s. It is written like sandbox.docker.memory or tools.allow[0].", path.Path, path.Reason)
	case errors.As(err, &missing):
		return Because(err, "There is no %.80s in %s.%s", missing.Missing, orElse(missing.Within, "the file"), nearest(missing.Nearest, "", 0))
	case errors.As(err, &twice):
		return Because(err, "%s is there %d times (lines %s), and nobody can say which one counts; remove all but one by hand first.",
			twice.Key, len(twice.Lines), numbers(twice.Lines))
	case errors.As(err, &ambiguous):
		return Because(err, "%s matches %d elements (lines %s); use a number such as [0].", ambiguous.Selector, len(ambiguous.Lines), numbers(ambiguous.Lines))
	case errors.As(err, &kind):
		return Because(err, "%s", sentenceCase(fmt.Sprintf("%s is %s %s, and this needs %s", orElse(kind.Path, "the file"), article(kind.Have.String()), kind.Have, kind.Want)))
	case errors.As(err, &operation):
		return Because(err, "That cannot be done: %s", sentenceCase(operation.Error()))
	case errors.As(err, &check):
		return Because(err, "I refused my own edit, because it would have changed more than you asked (%s). That is a fault of mine; nothing was written.", check.Reason)
	}
	return nil
}

func article(noun string) string {
	if noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an"
	}
	return "a"
}

func numbers(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = fmt.Sprint(n)
	}
	return strings.Join(words, ", ")
}

// fileProblem is about reading and writing the file.
func fileProblem(err error) error {
	path := problemFile(err)
	var syntax *json5.SyntaxError
	var include *openclaw.IncludeError
	var linked *safefile.HardLinkError
	var mounted *safefile.BindMountError
	var readOnly *safefile.ReadOnlyError
	var irregular *safefile.NotRegularError
	var large *safefile.TooLargeError
	var gone *BackupGone
	switch {
	case errors.As(err, &syntax):
		return Because(err, "%s cannot be read: line %d, column %d: %s. Mend it by hand; nothing was changed.", path, syntax.Line, syntax.Column, syntax.Reason)
	case errors.As(err, &include):
		return Because(err, "The included file %s %s. Nothing was changed.", include.Path, include.Reason)
	case errors.As(err, &linked):
		return Because(err, "%s has %d hard links, which replacing it would part; nothing was changed.", linked.Path, linked.Links)
	case errors.As(err, &mounted):
		return Because(err, "%s is mounted as a single file and cannot be replaced; mount its folder %s instead.", mounted.Path, mounted.Folder)
	case errors.As(err, &readOnly):
		return Because(err, "%s is read-only, so nothing was changed; chmod u+w it if that is not meant.", readOnly.Path)
	case errors.As(err, &irregular):
		return Because(err, "%s is no regular file; name OpenClaw's file in openclaw.config.", irregular.Path)
	case errors.As(err, &large):
		return Because(err, "%s is too large to be a configuration (%d MB).", large.Path, large.Size>>20)
	case errors.As(err, &gone):
		return Because(err, "The backup %s is gone or has been changed, so this cannot be taken back; only the last %d are kept.", gone.Path, safefile.KeptBackups)
	}
	return diskProblem(path, err)
}

// diskProblem is what the machine says.
func diskProblem(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Because(err, "%s is not there: install OpenClaw, or name its file in openclaw.config.", path)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		return Because(err, "This user may not change %s; nothing was changed. Give the file and its folder to the user that runs fraktalia.", path)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return Because(err, "The disk is full, so %s was left as it was. Make room, and say it again.", path)
	}
	return nil
}

// problemFile is the file that an error is about.
func problemFile(err error) string {
	var file *openclaw.FileError
	var save *safefile.SaveError
	var path *fs.PathError
	switch {
	case errors.As(err, &file):
		return file.Path
	case errors.As(err, &save):
		return save.Path
	case errors.As(err, &path):
		return path.Path
	}
	return "openclaw.json"
}
