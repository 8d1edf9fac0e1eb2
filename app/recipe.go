package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
)

// recipe is what the sandbox image is made of: the selection in the data
// folder, and the owner's files that the configuration names. It implements
// command.Recipe.
type recipe struct {
	file     string // the selection
	settings config.Sandbox
	openclaw string // OpenClaw's configuration
}

func newRecipe(c config.Config) recipe {
	return recipe{file: filepath.Join(c.Data, "packages.yaml"), settings: c.Sandbox, openclaw: c.OpenClaw.Config}
}

// selectionHead explains the file to who opens it.
const selectionHead = `# What is in the sandbox image, beside the groups of its profile. !packages
# writes this file; you may edit it, too (comments of your own are not kept).
# It becomes real with !rebuild-sandbox.
#   profile  the groups of packages: chat, web, media or full
#   own      more packages, together in one layer
#   late     more packages, a layer each: added since the last !packages settle
#   without  packages of the profile that are left out
#   heavy    packages that need much memory, built last and under a limit of it
`

// Selection implements command.Recipe.
func (r recipe) Selection() (docker.Selection, error) {
	s := docker.Selection{Profile: docker.ShippedProfile}
	text, err := os.ReadFile(r.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return s, &command.RecipeError{Path: r.file, Err: plain(err)}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return s, &command.RecipeError{Path: r.file, Err: errors.New(config.PlainYAML(err))}
	}
	if r.settings.Fragment == "" {
		return s, nil
	}
	fragment, err := os.ReadFile(r.settings.Fragment)
	if err != nil {
		return s, &command.RecipeError{Path: r.settings.Fragment, Err: plain(err)}
	}
	s.Fragment = string(fragment)
	return s, nil
}

// plain is a file's error without its path, which is told already.
func plain(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Choose implements command.Recipe.
func (r recipe) Choose(s docker.Selection) error {
	text, err := yaml.Marshal(s)
	if err != nil {
		return fmt.Errorf("write the selection of packages: %w", err)
	}
	if err := replaceFile(r.file, append([]byte(selectionHead), text...)); err != nil {
		return fmt.Errorf("write the selection of packages: %w", err)
	}
	return nil
}

// Own implements command.Recipe.
func (r recipe) Own() (command.OwnDockerfile, bool, error) {
	path := r.settings.Dockerfile
	if path == "" {
		return command.OwnDockerfile{}, false, nil
	}
	text, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(text)) == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return command.OwnDockerfile{}, true, &command.RecipeError{Path: path, Err: plain(err)}
	}
	return command.OwnDockerfile{Path: path, Text: string(text), Folder: os.DirFS(filepath.Dir(path))}, true, nil
}

// User implements command.Recipe: OpenClaw runs a sandbox as the owner of the
// agent's workspace, so the image knows that one, and those of the others.
func (r recipe) User(context.Context) (command.User, error) {
	user := r.user()
	user.Others = r.others(user.UID)
	return user, nil
}

// mostUsers bounds the entries of an image's passwd.
const mostUsers = 50

// others are the owners of the agents' workspaces, and the numbers that the
// configuration says sandboxes run as, without the image's own user.
func (r recipe) others(own int) (all []string) {
	settings, err := openclaw.LoadConfig(r.openclaw)
	if err != nil {
		return nil
	}
	agents, err := settings.Agents()
	if err != nil {
		return nil
	}
	seen := map[int]bool{own: true}
	for _, agent := range append(agents, defaultsOf(settings)) {
		uid, gid, ok := config.ParseIDs(agent.Text("sandbox", "docker", "user"))
		if !ok && (agent.ID != "" || agent.Text("workspace") != "") {
			uid, gid, ok = ownerOf(workspaceOf(agent, filepath.Dir(r.openclaw)))
		}
		if ok && !seen[uid] && len(all) < mostUsers {
			seen[uid] = true
			all = append(all, fmt.Sprintf("%d:%d", uid, gid))
		}
	}
	slices.Sort(all)
	return all
}

func (r recipe) user() command.User {
	if uid, gid, ok := config.ParseIDs(r.settings.User); ok {
		return command.User{UID: uid, GID: gid, From: "sandbox.user in fraktalia.yaml"}
	}
	folder := r.workspace()
	for _, place := range []string{folder, filepath.Dir(r.openclaw)} {
		if uid, gid, ok := ownerOf(place); ok {
			return command.User{UID: uid, GID: gid, From: "the owner of " + place}
		}
	}
	return command.User{UID: os.Getuid(), GID: os.Getgid(), From: "the account that I run as"}
}

// workspace is where the agents' files are: where OpenClaw's configuration says,
// of the defaults first, else OpenClaw's own default.
func (r recipe) workspace() string {
	home := filepath.Dir(r.openclaw)
	standard := filepath.Join(home, "workspace")
	settings, err := openclaw.LoadConfig(r.openclaw)
	if err != nil {
		return standard
	}
	if node, err := settings.Get(json5.Path{json5.Key("agents"), json5.Key("defaults")}); err == nil {
		if shared := (openclaw.Agent{Value: node.Value()}); shared.Text("workspace") != "" {
			return workspaceOf(shared, home)
		}
	}
	if agents, err := settings.Agents(); err == nil {
		for _, agent := range agents {
			if _, _, ok := ownerOf(workspaceOf(agent, home)); ok {
				return workspaceOf(agent, home)
			}
		}
	}
	return standard
}

func ownerOf(path string) (uid, gid int, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(owner.Uid), int(owner.Gid), true
}
