package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/docker"
)

func TestSelectionIsKeptInAFileForPeople(t *testing.T) {
	c := config.Default()
	c.Data = t.TempDir()
	r := newRecipe(c)
	got, err := r.Selection()
	if err != nil || got.Profile != docker.ShippedProfile {
		t.Errorf("where nothing was chosen: %+v, %v", got, err)
	}
	want := docker.Selection{Profile: "media", Own: []string{"a1"}, Late: []string{"b1", "c1"}, Without: []string{"d1"}, Heavy: []string{"e1"}}
	if err := r.Choose(want); err != nil {
		t.Fatal(err)
	}
	if got, err = r.Selection(); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	text, _ := os.ReadFile(r.file)
	if info, err := os.Stat(r.file); err != nil || info.Mode() != 0o600 || !strings.Contains(string(text), "# What is in the sandbox image") {
		t.Errorf("%v %v\n%s", info, err, text)
	}
	for content, told := range map[string]string{
		"profile: web\nprof: x\n": `line 2: there is no key "prof"`,
		"profile: [web\n":         "line",
		"late: htop\n":            "line 1",
	} {
		os.WriteFile(r.file, []byte(content), 0o600)
		var bad *command.RecipeError
		if _, err := r.Selection(); !errors.As(err, &bad) || bad.Path != r.file || !strings.Contains(bad.Err.Error(), told) || strings.Contains(bad.Err.Error(), "docker.") {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestOwnFilesOfTheRecipe(t *testing.T) {
	c := config.Default()
	c.Data = t.TempDir()
	c.Sandbox.Fragment = filepath.Join(c.Data, "mine")
	r := newRecipe(c)
	var bad *command.RecipeError
	if _, err := r.Selection(); !errors.As(err, &bad) || bad.Path != c.Sandbox.Fragment {
		t.Errorf("without its fragment: %v", err)
	}
	os.WriteFile(c.Sandbox.Fragment, []byte("ENV A=b\n"), 0o600)
	if s, err := r.Selection(); err != nil || s.Fragment != "ENV A=b\n" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, ok, err := r.Own(); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	r.settings.Dockerfile = c.Sandbox.Fragment
	if own, ok, err := r.Own(); !ok || err != nil || own.Text != "ENV A=b\n" {
		t.Errorf("%+v %v %v", own, ok, err)
	}
	os.WriteFile(c.Sandbox.Fragment, []byte(" \n"), 0o600)
	if _, ok, err := r.Own(); !ok || !errors.As(err, &bad) {
		t.Errorf("an empty one: %v %v", ok, err)
	}
}

// The image's user is the owner of the workspace that OpenClaw's configuration
// names, unless ours names another.
func TestUserOfTheImage(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root can give files away: the ids are those of who runs this")
	}
	home := t.TempDir()
	c := config.Default()
	c.OpenClaw.Config = filepath.Join(home, "openclaw.json")
	folder := filepath.Join(home, "work")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 4711, 4712
		if err := os.Chown(folder, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(c.OpenClaw.Config, []byte(`{agents: {defaults: {workspace: "`+folder+`"}}}`), 0o600)
	ctx := context.Background()
	if user, err := newRecipe(c).User(ctx); err != nil || user.UID != uid || user.GID != gid || !strings.Contains(user.From, folder) {
		t.Errorf("%+v, %v", user, err)
	}
	os.WriteFile(c.OpenClaw.Config, []byte(`{agents: {entries: {mox: {workspace: "`+folder+`"}}}}`), 0o600)
	if user, err := newRecipe(c).User(ctx); err != nil || user.UID != uid {
		t.Errorf("by an agent's own workspace: %+v, %v", user, err)
	}
	c.Sandbox.User = "5:6"
	if user, err := newRecipe(c).User(ctx); err != nil || user.UID != 5 || user.GID != 6 {
		t.Errorf("%+v, %v", user, err)
	}
}

// Each agent's sandbox runs as the owner of its own workspace: the image knows
// all of them.
func TestOtherUsersOfTheImage(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("only root can give files away")
	}
	home := t.TempDir()
	c := config.Default()
	c.OpenClaw.Config = filepath.Join(home, "openclaw.json")
	for name, uid := range map[string]int{"mox": 4711, "max": 4720, "fly": 4711} {
		folder := filepath.Join(home, "workspace-"+name)
		if err := errors.Join(os.Mkdir(folder, 0o755), os.Chown(folder, uid, uid+1)); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(c.OpenClaw.Config, []byte(`{agents: {defaults: {sandbox: {docker: {user: "7:8"}}},
		entries: {mox: {}, fly: {}, gone: {}, max: {}, set: {sandbox: {docker: {user: "9:9"}}}, named: {sandbox: {docker: {user: "node"}}}}}}`), 0o600)
	user, err := newRecipe(c).User(context.Background())
	if err != nil || user.UID != 4711 && user.UID != 4720 {
		t.Fatalf("%+v, %v", user, err)
	}
	want := "4720:4721 7:8 9:9"
	if user.UID == 4720 {
		want = "4711:4712 7:8 9:9"
	}
	if got := strings.Join(user.Others, " "); got != want {
		t.Errorf("others %q, want %q", got, want)
	}
}
