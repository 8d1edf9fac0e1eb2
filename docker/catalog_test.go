package docker_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/docker"
)

func shipped(t *testing.T) docker.Catalog {
	t.Helper()
	c, err := docker.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func text(t *testing.T, c docker.Catalog, s docker.Selection) string {
	t.Helper()
	dockerfile, err := c.Dockerfile(s)
	if err != nil {
		t.Fatal(err)
	}
	return dockerfile
}

// The Dockerfile in the repository is the generated one, so that a person can
// read it and build by hand. UPDATE=1 writes it.
func TestShippedDockerfileIsTheGeneratedOne(t *testing.T) {
	want := text(t, shipped(t), docker.Selection{Profile: docker.ShippedProfile})
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("sandbox/Dockerfile", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := docker.Sandbox()
	if err != nil {
		t.Fatal(err)
	}
	got, err := fs.ReadFile(files, "Dockerfile")
	if err != nil || string(got) != want {
		t.Errorf("sandbox/Dockerfile is not what packages.yaml makes (UPDATE=1 go test ./docker writes it): %v", err)
	}
}

func TestLatePackageIsALastLayer(t *testing.T) {
	c := shipped(t)
	before := docker.Selection{Profile: "chat"}
	after, added, err := c.Add(before, "tmux", "jq", "htop", "tmux")
	if err != nil || !slices.Equal(added, []string{"htop", "tmux"}) {
		t.Fatalf("added %q, %v; jq is in core", added, err)
	}
	old, late := text(t, c, before), text(t, c, after)
	stem := old[:strings.Index(old, "# The agent's user")]
	if !strings.HasPrefix(late, stem) || strings.Count(late, "RUN apt-get") != strings.Count(old, "RUN apt-get")+2 {
		t.Errorf("the layers before the added ones changed:\n%s", late)
	}
	if settled := text(t, c, after.Settled()); strings.Count(settled, "RUN apt-get") != strings.Count(old, "RUN apt-get")+1 || !strings.Contains(settled, "htop tmux") {
		t.Errorf("settled:\n%s", settled)
	}
	undone, removed, err := c.Remove(after.Settled(), "htop", "tmux", "never-there")
	if err != nil || !slices.Equal(removed, []string{"htop", "tmux"}) || text(t, c, undone) != old {
		t.Errorf("removed %q, %v: %+v", removed, err, undone)
	}
}

func TestRemoveFromAGroupAndBack(t *testing.T) {
	c := shipped(t)
	before := docker.Selection{Profile: "web"}
	without, removed, err := c.Remove(before, "npm")
	if err != nil || !slices.Equal(removed, []string{"npm"}) || strings.Contains(text(t, c, without), "npm \\") {
		t.Fatalf("removed %q, %v", removed, err)
	}
	back, added, err := c.Add(without, "npm")
	if err != nil || !slices.Equal(added, []string{"npm"}) || text(t, c, back) != text(t, c, before) {
		t.Errorf("added %q, %v: %+v", added, err, back)
	}
	if before.Without != nil || len(without.Without) != 1 {
		t.Errorf("a selection was changed in place: %+v, %+v", before, without)
	}
}

func TestFragmentComesLast(t *testing.T) {
	c := shipped(t)
	dockerfile := text(t, c, docker.Selection{Profile: "chat", Fragment: "ENV EDITOR=vi\nUSER 7\n"})
	own, user := strings.Index(dockerfile, "ENV EDITOR=vi\nUSER 7\nUSER root\n"), strings.Index(dockerfile, "ARG AGENT_UID")
	if own < strings.LastIndex(dockerfile, "apt-get") || user < own {
		t.Errorf("dockerfile:\n%s", dockerfile)
	}
}

// What would be more than a name, to a shell or to apt-get, must not get into
// a Dockerfile that runs as root.
func TestBadNames(t *testing.T) {
	c := shipped(t)
	for _, name := range []string{"", "a", "-y", "--allow-unauthenticated", "vim-", "vim+", "Vim", "a b", "a;id", "$(id)", "a\nRUN id", "./a.deb", "a=1", "a/sid", "a:i386", "a*", "`id`", "ü"} {
		var bad *docker.NameError
		if _, _, err := c.Add(docker.Selection{Profile: "chat"}, name); !errors.As(err, &bad) || bad.Name != name {
			t.Errorf("Add(%q): %v", name, err)
		}
		if _, err := c.Dockerfile(docker.Selection{Profile: "chat", Late: []string{name}}); err == nil {
			t.Errorf("Dockerfile with %q: no error", name)
		}
	}
	for _, name := range []string{"g++", "libstdc++-12-dev", "0ad", "python3.11", "7zip"} {
		if _, _, err := c.Add(docker.Selection{Profile: "chat"}, name); err != nil {
			t.Errorf("Add(%q): %v", name, err)
		}
	}
}

func TestUnknownProfile(t *testing.T) {
	_, err := shipped(t).Dockerfile(docker.Selection{Profile: "wbe"})
	var unknown *docker.ProfileError
	if !errors.As(err, &unknown) || !slices.Equal(unknown.Known, []string{"chat", "full", "media", "web"}) {
		t.Errorf("error %v", err)
	}
}

func TestReadCatalogNamesAllMistakes(t *testing.T) {
	_, err := docker.ReadCatalog([]byte(`
groups:
  - {name: a, about: x, packages: [jq, Jq]}
  - {name: a, about: x, packages: [jq]}
profiles: {p: [a, b]}
`))
	for _, want := range []string{`group "a"`, `"Jq"`, "package jq is in a and in a", `no group "b"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %s", err, want)
		}
	}
	if _, err := docker.ReadCatalog([]byte("group: []")); err == nil {
		t.Error("an unknown key is accepted")
	}
}

func TestHeavyOnes(t *testing.T) {
	c := shipped(t)
	found := c.HeavyOnes("jq", "texlive-latex-base", "texlive")
	if len(found) != 2 || found["texlive"].Instead == "" || found["texlive-latex-base"].Reason == "" {
		t.Errorf("found %+v", found)
	}
	for _, group := range c.Groups {
		if heavy := c.HeavyOnes(group.Packages...); len(heavy) > 0 {
			t.Errorf("group %s has %+v", group.Name, heavy)
		}
	}
	if _, err := docker.ReadCatalog([]byte("heavy: [{prefix: \"\", reason: all}]")); err == nil {
		t.Error("an empty prefix, which is every package, is accepted")
	}
}
