package command

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// kitchen is a recipe in memory.
type kitchen struct {
	selection docker.Selection
	own       string
	broken    error
}

func (k *kitchen) Selection() (docker.Selection, error) { return k.selection, k.broken }
func (k *kitchen) Choose(s docker.Selection) error      { k.selection = s; return nil }
func (k *kitchen) User(context.Context) (User, error)   { return User{UID: 1000, GID: 1000}, nil }
func (k *kitchen) Own() (OwnDockerfile, bool, error) {
	return OwnDockerfile{Path: "/own/Dockerfile", Text: k.own, Folder: fstest.MapFS{}}, k.own != "", nil
}

// shop is an engine as far as !packages needs one: its distribution has these
// packages. What else is asked of it panics.
type shop struct {
	Builder
	packages []string
	offline  bool
}

func (s *shop) EnsureBase(context.Context, sandbox.BaseOptions, func(sandbox.Progress)) (sandbox.Base, error) {
	return sandbox.Base{Ref: "base"}, nil
}

func (s *shop) UnknownPackages(_ context.Context, _ string, names []string) (unknown []sandbox.UnknownPackage, err error) {
	if s.offline {
		return nil, errors.New("fetch the list of packages: no route")
	}
	for _, name := range names {
		if !slices.Contains(s.packages, name) {
			unknown = append(unknown, sandbox.UnknownPackage{Name: name, Near: []string{"ripgrep"}})
		}
	}
	return unknown, nil
}

func (s *shop) ImageInfo(context.Context, string) (sandbox.Image, error) {
	return sandbox.Image{Exists: true, ID: "sha256:live"}, nil
}

func withKitchen(t *testing.T) (*bench, *kitchen, *shop) {
	b := newBench(t)
	k, s := &kitchen{selection: docker.Selection{Profile: "chat"}}, &shop{packages: []string{"htop", "tmux", "texlive-base"}}
	services := b.commands.services
	services.Recipe, services.Builder, services.Settings.Image = k, s, "x:y"
	b.commands = New(services)
	return b, k, s
}

func TestPackagesChangeAndAreTakenBack(t *testing.T) {
	b, k, _ := withKitchen(t)
	for _, step := range []struct{ line, want string }{
		{"packages add tmux htop jq", "packages use chat late=htop,tmux"},
		{"packages remove npm-not tree", ""},
		{"packages remove tree", "packages use chat late=htop,tmux without=tree"},
		{"packages settle", "packages use chat own=htop,tmux without=tree"},
		{"packages profile web", "packages use web own=htop,tmux without=tree"},
		{"packages add texlive-base --anyway", "packages use web own=htop,tmux without=tree heavy=texlive-base"},
		{"packages remove texlive-base htop", "packages use web own=tmux without=tree"},
	} {
		before := usedLine(k.selection)
		args, _ := Split(step.line)
		answer, err := b.commands.Do(context.Background(), Request{Role: Owner, Args: args}, b.desk)
		if step.want == "" {
			if err == nil || usedLine(k.selection) != before {
				t.Errorf("%s was done: %v, %s", step.line, err, usedLine(k.selection))
			}
			continue
		}
		if err != nil || usedLine(k.selection) != step.want || answer.Undo != before {
			t.Errorf("%s: %v\n made %s\n undo %s\nwant %s\n undo %s", step.line, err, usedLine(k.selection), answer.Undo, step.want, before)
			continue
		}
		after := k.selection
		if _, err := b.do(t, answer.Undo); err != nil || usedLine(k.selection) != before {
			t.Errorf("%s: taken back with %q: %v, %s", step.line, answer.Undo, err, usedLine(k.selection))
		}
		k.selection = after
	}
}

func TestPackagesMistakes(t *testing.T) {
	b, k, s := withKitchen(t)
	for line, want := range map[string]string{
		"packages add ripgerp":                "The distribution has no package ripgerp, but ripgrep. Nothing was changed.",
		"packages add -- -y":                  `"-y" cannot be the name of a package`,
		"packages add 'a;id'":                 `"a;id" cannot be the name of a package`,
		"packages add jq":                     "jq is in the image already, or will be with the next build. Nothing was changed.",
		"packages add":                        "Say add or remove with names of packages, profile with a name, or settle.\nUsage: !packages",
		"packages frobnicate":                 "Say add or remove with names of packages",
		"packages remove blender":             "blender is not in the image by name. Nothing was changed.",
		"packages profile wbe":                `There is no profile "wbe"; there are chat, full, media and web.`,
		"packages settle":                     "There are no late packages to settle.",
		"packages use chat lat=x":             `"lat=x" is none of own=, late=, without= and heavy=`,
		"packages use chat late=$x":           `"$x" cannot be the name of a package`,
		"packages add texlive-base":           "I do not add texlive-base: building its formats takes several gigabytes of memory",
		"rebuild-sandbox now":                 `"now" is one word too many.`,
		"rebuild-sandbox --memory 2 --anyway": `"2" is no amount of memory`,
	} {
		_, err := b.do(t, line)
		var problem *Problem
		if !errors.As(err, &problem) || !strings.HasPrefix(problem.Sentence, want) {
			t.Errorf("%s\n gave %v\nwant %s", line, err, want)
		}
		if usedLine(k.selection) != "packages use chat" {
			t.Fatalf("%s changed the selection: %+v", line, k.selection)
		}
	}
	s.offline = true
	if _, err := b.do(t, "packages add htop"); err == nil || !strings.Contains(err.Error(), "online") || len(k.selection.Late) > 0 {
		t.Errorf("offline: %v, %+v", err, k.selection)
	}
	k.selection.Late = []string{"texlive-base"} // written by hand
	if _, err := b.do(t, "rebuild-sandbox"); err == nil || !strings.Contains(err.Error(), "In the packages is texlive-base") {
		t.Errorf("heavy by hand: %v", err)
	}
	k.broken = &RecipeError{Path: "/d/packages.yaml", Err: errors.New(`line 1: there is no key "prof"`)}
	for _, line := range []string{"packages", "packages settle", "rebuild-sandbox"} {
		if _, err := b.do(t, line); err == nil || !strings.Contains(err.Error(), `/d/packages.yaml cannot be used: line 1: there is no key "prof".`) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestOwnDockerfileIsNotTouchedByPackages(t *testing.T) {
	b, k, _ := withKitchen(t)
	k.own = "FROM x\nRUN apt-get install texlive\n"
	for line, want := range map[string]string{
		"packages add htop":             "The image is made from /own/Dockerfile",
		"rebuild-sandbox --profile web": "The image is made from /own/Dockerfile",
		"rebuild-sandbox":               "In /own/Dockerfile is texlive",
	} {
		if _, err := b.do(t, line); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if text, err := b.do(t, "packages"); err != nil || !strings.Contains(text, "/own/Dockerfile") {
		t.Errorf("%s %v", text, err)
	}
}

// The table tells what is in the live image from what will be.
func TestPackagesTable(t *testing.T) {
	b, k, _ := withKitchen(t)
	ctx := context.Background()
	catalog, err := docker.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	layers, _ := catalog.Layers(docker.Selection{Profile: "web", Late: []string{"tmux", "sl"}})
	done := store.Build{Tag: "x:y", StartedAt: time.Now(), ImageID: "sha256:live", Outcome: store.BuildDone}
	for _, layer := range layers {
		done.Layers = append(done.Layers, store.BuildLayer{Name: layer.Name, Step: layer.Step(), Size: 12_000_000})
	}
	if done.ID, err = b.records.BeginBuild(ctx, done); err == nil {
		err = b.records.EndBuild(ctx, done)
	}
	if err != nil {
		t.Fatal(err)
	}
	k.selection = docker.Selection{Profile: "chat", Late: []string{"tmux", "htop"}, Without: []string{"jq"}}
	text, err := b.do(t, "packages")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"⏳  core ", "✅  python", "🗑️  build", "12MB", "✅  late       tmux", "⏳  late       htop", "🗑️  late       sl", "Left out of their groups: jq."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if os.Getenv("SHOW") != "" {
		t.Log("\n" + text)
	}
}
