package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/workspace"
)

// permissions finds the agents' workspaces and remembers what was mended in
// them. It implements command.Permissions.
type permissions struct {
	*agents
	records string // folder
	data    string // of this program: never a workspace
}

// SharedFolders implements command.Permissions.
func (p permissions) SharedFolders(ctx context.Context) ([]command.SharedFolder, error) {
	settings, err := p.Load()
	if err != nil {
		return nil, err
	}
	roster, err := settings.Agents()
	if err != nil {
		return nil, err
	}
	// Without the engine the configuration alone says who works in them.
	containers, err := p.engines.local.Containers(ctx) // the folders are this machine's
	if err != nil {
		p.log.WithError(err).Info("permissions: the containers are not known")
	}
	var list []command.SharedFolder
	for _, agent := range roster {
		list = append(list, p.foldersOf(settings, agent, containers)...)
	}
	p.keepApart(list)
	return list, nil
}

// foldersOf are an agent's workspace, and the folder that its container has
// for one, where that is another.
func (p permissions) foldersOf(settings *openclaw.Config, agent openclaw.Agent, containers []sandbox.Container) (list []command.SharedFolder) {
	inherited := func(names ...string) string {
		if text := agent.Text(names...); text != "" {
			return text
		}
		return defaultsOf(settings).Text(names...)
	}
	if mode := inherited("sandbox", "mode"); mode == "" || mode == "off" {
		return nil
	}
	user := inherited("sandbox", "docker", "user")
	paths := []string{workspaceOf(agent, filepath.Dir(p.path))}
	for _, c := range containers {
		if c.Agent != agent.ID {
			continue
		}
		user = c.User
		if c.Workspace != "" && !slices.Contains(paths, c.Workspace) {
			paths = append(paths, c.Workspace)
		}
	}
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			list = append(list, p.folder(agent.ID, path, user))
		}
	}
	return list
}

// folder says how one is to be looked at.
func (p permissions) folder(agent, path, user string) command.SharedFolder {
	f := command.SharedFolder{Agent: agent, Folder: workspace.Folder{Path: filepath.Clean(path), GuestUID: -1, GuestGID: -1}}
	uid, gid, named := strings.Cut(user, ":")
	if id, err := strconv.Atoi(uid); err == nil {
		f.GuestUID, f.GuestGID = id, id
		if named {
			if f.GuestGID, err = strconv.Atoi(gid); err != nil {
				f.Refused = fmt.Sprintf("the container's user %q has no number for its group", user)
			}
		}
	} else if user != "" {
		f.Refused = fmt.Sprintf("the container's user %q is a name, and the host does not know which", user)
	}
	if !filepath.IsAbs(path) {
		f.Refused = "its path is not absolute"
	}
	home, _ := os.UserHomeDir()
	for _, keep := range []string{filepath.Dir(p.path), home, p.data} {
		if keep != "" && within(keep, f.Path) {
			f.Refused = "it holds " + keep + " as well"
		}
	}
	return f
}

// keepApart resolves links in the folders' paths, refuses those that an agent
// may have set, and leaves each folder what lies in it to its own agent.
func (p permissions) keepApart(list []command.SharedFolder) {
	for i := range list {
		real, err := filepath.EvalSymlinks(list[i].Path)
		if err != nil || real == list[i].Path {
			continue
		}
		for _, other := range list {
			if link := linkWithin(list[i].Path, other.Path); link != "" {
				list[i].Refused = fmt.Sprintf("%s is a link in a workspace, and may have been set by its agent", link)
			}
		}
		if again := p.folder(list[i].Agent, real, ""); again.Refused != "" {
			list[i].Refused = again.Refused
		}
		list[i].Path = real
	}
	for i := range list {
		for _, other := range list {
			if other.Path != list[i].Path && within(other.Path, list[i].Path) {
				list[i].Skip = append(list[i].Skip, other.Path)
			}
		}
	}
}

// linkWithin is the first link on the way to path that lies in folder.
func linkWithin(path, folder string) string {
	for at := path; at != filepath.Dir(at); at = filepath.Dir(at) {
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 && within(filepath.Dir(at), folder) {
			return at
		}
	}
	return ""
}

// defaultsOf is what all agents have unless their entry says otherwise.
func defaultsOf(settings *openclaw.Config) openclaw.Agent {
	node, err := settings.Get(json5.Path{json5.Key("agents"), json5.Key("defaults")})
	if err != nil {
		return openclaw.Agent{}
	}
	return openclaw.Agent{Value: node.Value()}
}

const (
	// mostRecords is how many mendings can be taken back.
	mostRecords = 50
	recordForm  = "20060102-150405.000000"
)

// mending is what stands in a record.
type mending struct {
	Agent string         `json:"agent"`
	Plan  workspace.Plan `json:"plan"`
}

// RecordMending implements command.Permissions.
func (p permissions) RecordMending(agent string, plan workspace.Plan) (string, error) {
	if err := os.MkdirAll(p.records, 0o700); err != nil {
		return "", fmt.Errorf("remember what is mended: %w", err)
	}
	text, err := json.Marshal(mending{agent, plan})
	if err != nil {
		return "", fmt.Errorf("remember what is mended: %w", err)
	}
	id := time.Now().UTC().Format(recordForm)
	if err := os.WriteFile(p.record(id), text, 0o600); err != nil {
		return "", fmt.Errorf("remember what is mended: %w", err)
	}
	old, _ := filepath.Glob(p.record("*")) // sorted: the oldest first
	for _, path := range old[:max(0, len(old)-mostRecords)] {
		_ = os.Remove(path) // the next time tries again
	}
	return id, nil
}

func (p permissions) record(id string) string { return filepath.Join(p.records, id+".json") }

// Mending implements command.Permissions. An id is no path.
func (p permissions) Mending(id string) (string, workspace.Plan, error) {
	var m mending
	if !regexp.MustCompile(`^[0-9]{8}-[0-9]{6}\.[0-9]{6}$`).MatchString(id) {
		return "", m.Plan, fs.ErrNotExist
	}
	text, err := os.ReadFile(p.record(id))
	if err != nil {
		return "", m.Plan, err
	}
	err = json.Unmarshal(text, &m)
	return m.Agent, m.Plan, err
}

// noteEvery is the least time between two notes that something was mended
// unasked.
const noteEvery = 24 * time.Hour

// mendPermissions looks at all workspaces from time to time, where the
// configuration says so. It is silent unless something was mended.
func (d *deployment) mendPermissions(ctx context.Context) error {
	every := d.config.Sandbox.FixPermissions.Every()
	if every == 0 {
		return nil
	}
	log := d.log.WithField("part", "permissions")
	d.awaitRooms(ctx)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var noted time.Time
	sum := 0
	for {
		n, err := d.mendAll(ctx)
		if err != nil && ctx.Err() == nil {
			log.WithError(err).Warn("the workspaces could not be looked at")
		}
		if sum += n; n > 0 {
			log.Infof("mended %d files in workspaces", n)
		}
		if sum > 0 && time.Since(noted) >= noteEvery && d.bot.Reachable(ctx) == nil {
			d.bot.Alert(ctx, command.MendedNote(sum))
			noted, sum = time.Now(), 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// roomsLimit is how long the first look waits for the bot, which could not tell
// of it before.
const roomsLimit = 30 * time.Second

func (d *deployment) awaitRooms(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, roomsLimit)
	defer cancel()
	for d.bot.Reachable(ctx) != nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// mendAll mends every workspace once.
func (d *deployment) mendAll(ctx context.Context) (n int, err error) {
	p := d.permissions()
	folders, err := p.SharedFolders(ctx)
	if err != nil {
		return 0, err
	}
	for _, folder := range folders {
		m, err := command.MendFolder(ctx, p, folder, false)
		n += len(m.Changes)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (d *deployment) permissions() permissions {
	return permissions{agents: d.agents, records: filepath.Join(d.config.Data, "permissions"), data: d.config.Data}
}
