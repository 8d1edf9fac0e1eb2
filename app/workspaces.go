package app

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/githabideri/fraktalia/workspace"
)

// workspaces are the agents' folders on this machine. It implements
// command.Workspaces.
type workspaces struct{ *agents }

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
