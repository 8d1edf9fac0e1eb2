package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/persona"
	"github.com/githabideri/fraktalia/workspace"
)

// workspaces are the agents' folders on this machine. It implements
// command.Workspaces.
type workspaces struct {
	*agents
	config config.Config
	recipe recipe
}

func newWorkspaces(a *agents, c config.Config) workspaces { return workspaces{a, c, newRecipe(c)} }

// personaFolder holds the owner's templates.
func (w workspaces) personaFolder() string { return filepath.Join(w.config.Data, "persona") }

// PlanWorkspace implements command.Workspaces. Where OpenClaw and the containers
// run as two users, they share the folder by its group.
func (w workspaces) PlanWorkspace(ctx context.Context, agent command.Newcomer) (command.NewWorkspace, error) {
	settings, err := w.Load()
	if err != nil {
		return command.NewWorkspace{}, err
	}
	made := command.NewWorkspace{New: workspace.New{Path: newWorkspaceOf(settings, agent.ID, filepath.Dir(w.path))}}
	if _, err := os.Lstat(made.Path); !errors.Is(err, os.ErrNotExist) {
		return made, &command.WorkspaceTaken{Path: made.Path}
	}
	user, err := w.recipe.User(ctx)
	if err != nil {
		return made, err
	}
	made.User = fmt.Sprintf("%d:%d", user.UID, user.GID)
	made.Owner = workspace.State{UID: user.UID, GID: user.GID, Mode: 0o750}
	if gateway, _, ok := ownerOf(filepath.Dir(w.path)); ok && gateway != user.UID {
		made.Owner = workspace.State{UID: gateway, GID: user.GID, Mode: 0o2770}
	}
	shape, err := settings.Shape()
	if err != nil {
		return made, err
	}
	made.Files, err = w.personaFiles(agent, shape)
	return made, err
}

// personaFiles are what a new agent finds in its workspace.
func (w workspaces) personaFiles(agent command.Newcomer, shape openclaw.Shape) (map[string]string, error) {
	if err := persona.Show(w.personaFolder()); err != nil {
		w.log.WithError(err).Warn("the templates of agents' files are not shown")
	}
	files, err := persona.Files(w.personaFolder(), persona.Facts{ID: agent.ID, Name: agent.Name, Room: agent.Room, Owners: w.config.Owners,
		Bot: w.config.Bot.UserID, FirstPort: w.config.Forwards.Range.First, LastPort: w.config.Forwards.Range.Last}, shape == openclaw.ListRoster)
	var template *persona.TemplateError
	if errors.As(err, &template) {
		return nil, &command.BadTemplate{Path: template.Path, Err: template.Err}
	}
	return files, err
}

// newWorkspaceOf is where OpenClaw would look for it, too.
func newWorkspaceOf(settings *openclaw.Config, id, home string) string {
	if shared := defaultsOf(settings); shared.Text("workspace") != "" {
		return filepath.Join(workspaceOf(shared, home), id)
	}
	return filepath.Join(home, "workspace-"+id)
}

// mostWritten bounds what is read of a file that an agent wrote.
const mostWritten = 4 << 10

// Written implements command.Workspaces.
func (w workspaces) Written(ctx context.Context, agent, name string) (text, path string, err error) {
	folders, err := w.folders(ctx, agent)
	if err != nil {
		return "", "", err
	}
	for _, folder := range folders {
		content, err := workspace.Read(folder, name, mostWritten)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", "", err
		}
		if err := workspace.Remove(folder, name); err != nil {
			w.log.WithError(err).Warnf("%s stays in %s", name, folder)
		}
		return string(content), filepath.Join(folder, name), nil
	}
	return "", "", fs.ErrNotExist
}

// folders are an agent's workspace, and what its containers have for one.
func (w workspaces) folders(ctx context.Context, id string) ([]string, error) {
	settings, err := w.Load()
	if err != nil {
		return nil, err
	}
	agent, err := settings.Agent(id)
	if err != nil {
		return nil, err
	}
	home := filepath.Dir(w.path)
	list := []string{workspaceOf(agent, home), filepath.Join(home, "workspace")}
	if shared := defaultsOf(settings); shared.Text("workspace") != "" { // a sole agent's own, else each has a folder in it
		list = append(list, workspaceOf(shared, home), filepath.Join(workspaceOf(shared, home), id))
	}
	containers, err := w.engines.local.Containers(ctx)
	if err != nil {
		w.log.WithError(err).Info("workspaces: the containers are not known")
	}
	for _, c := range containers {
		if (c.Agent == id || c.Agent == "") && c.Workspace != "" && !slices.Contains(list, c.Workspace) {
			list = append(list, c.Workspace)
		}
	}
	for i := range list { // who set links on the way is the machine's owner
		if real, err := filepath.EvalSymlinks(list[i]); err == nil {
			list[i] = real
		}
	}
	return list, nil
}

// EraseRecords implements command.Workspaces.
func (w workspaces) EraseRecords(agent string) (bool, error) {
	folder := filepath.Join(filepath.Dir(w.path), "agents", agent)
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) || agent == "" || filepath.Base(agent) != agent {
		return false, nil
	}
	return true, eraseClosed(folder)
}

// eraseClosed deletes a folder in which nobody has a file open: OpenClaw would go
// on writing into a database that is gone, for an agent of the same id.
func eraseClosed(folder string) error {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return err
	}
	for _, link := range links {
		if open, err := os.Readlink(link); err == nil && within(open, folder) {
			return &command.RecordsOpen{Path: folder}
		}
	}
	return os.RemoveAll(folder)
}

// Remains implements command.Workspaces: what lies in OpenClaw's folder under
// the names that it gives, and what was moved aside.
func (w workspaces) Remains(known []string) (list []command.Remains, err error) {
	home := filepath.Dir(w.path)
	settings, err := w.Load()
	if err != nil {
		return nil, err
	}
	roots := []string{filepath.Join(home, "workspace-*")}
	if shared := defaultsOf(settings); shared.Text("workspace") != "" {
		roots = append(roots, filepath.Join(workspaceOf(shared, home), "*"+removedMark+"*"))
	}
	roster, err := settings.Agents()
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		paths, _ := filepath.Glob(root)
		for _, path := range paths {
			name, _, aside := strings.Cut(strings.TrimPrefix(filepath.Base(path), "workspace-"), removedMark)
			if (aside || !slices.Contains(known, name)) && isFolder(path) && !w.inUse(path, roster) {
				list = append(list, command.Remains{Agent: name, Path: path})
			}
		}
	}
	paths, _ := filepath.Glob(filepath.Join(home, "agents", "*"))
	for _, path := range paths {
		if name := filepath.Base(path); !slices.Contains(known, name) && isFolder(path) {
			list = append(list, command.Remains{Agent: name, Path: path, Records: true})
		}
	}
	return list, nil
}

// EraseRemains implements command.Workspaces.
func (w workspaces) EraseRemains(left command.Remains, known []string) error {
	now, err := w.Remains(known)
	if err != nil {
		return err
	}
	if !slices.Contains(now, left) {
		return command.Sorry("It is in use again, or gone.")
	}
	return eraseClosed(left.Path)
}

// inUse says whether a folder is an agent's workspace, lies in one, or holds
// one or anything else that is needed.
func (w workspaces) inUse(path string, roster []openclaw.Agent) bool {
	for _, held := range w.held(roster) {
		if within(held, path) {
			return true
		}
	}
	return slices.ContainsFunc(roster, func(a openclaw.Agent) bool { return within(path, workspaceOf(a, filepath.Dir(w.path))) })
}

func isFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}
