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
	dockerfile, err := c.Dockerfile(s, docker.Style{})
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
		if _, err := c.Dockerfile(docker.Selection{Profile: "chat", Late: []string{name}}, docker.Style{}); err == nil {
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
	_, err := shipped(t).Dockerfile(docker.Selection{Profile: "wbe"}, docker.Style{})
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

// An engine repeats a step in its own words: on one line, with flags, or with
// its shell in front.
func TestLayersAreKnownAgain(t *testing.T) {
	c := shipped(t)
	layers, err := c.Layers(docker.Selection{Profile: "chat", Late: []string{"ca-certificates"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, style := range []docker.Style{{}, {CacheMounts: true}} {
		dockerfile, err := c.Dockerfile(docker.Selection{Profile: "chat", Late: []string{"ca-certificates"}}, style)
		if err != nil {
			t.Fatal(err)
		}
		var steps []string
		for _, step := range strings.Split(dockerfile, "\nRUN ")[1:4] {
			step, _, _ = strings.Cut(step, "\n\n")
			steps = append(steps, strings.ReplaceAll(step, "\\\n", ""))
		}
		for i, layer := range layers {
			for j, step := range steps {
				for _, said := range []string{"RUN " + step, "RUN /bin/sh -c " + step + " # buildkit", "|1 BASE=x /bin/sh -c " + step} {
					if layer.Installs(said) != (i == j) {
						t.Errorf("layer %s, step %d: Installs(%q) = %v", layer.Name, j, said, i != j)
					}
				}
			}
		}
	}
}

func TestHeavyOnesComeApart(t *testing.T) {
	c := shipped(t)
	s, added, err := c.Add(docker.Selection{Profile: "chat"}, "texlive-base", "htop")
	if err != nil || len(added) != 2 || !slices.Equal(s.Heavy, []string{"texlive-base"}) || !slices.Equal(s.Late, []string{"htop"}) {
		t.Fatalf("%+v, added %q, %v", s, added, err)
	}
	if strings.Contains(text(t, c, s), "texlive") {
		t.Error("the heavy package is among the others")
	}
	heavy, err := c.HeavyDockerfile(s)
	if err != nil || !strings.Contains(heavy, "texlive-base") || strings.Contains(heavy, "htop") || strings.Contains(heavy, "--mount") {
		t.Errorf("%s %v", heavy, err)
	}
	if none, err := c.HeavyDockerfile(docker.Selection{Profile: "chat"}); none != "" || err != nil {
		t.Errorf("%s %v", none, err)
	}
	byHand := docker.Selection{Profile: "chat", Own: []string{"texlive"}, Late: []string{"nvidia-smi", "htop"}}
	if got := c.Unlimited(byHand); !slices.Equal(got, []string{"nvidia-smi", "texlive"}) {
		t.Errorf("unlimited %q", got)
	}
	limited := c.Limited(byHand)
	if len(c.Unlimited(limited)) > 0 || len(limited.Heavy) != 2 || !slices.Equal(limited.Late, []string{"htop"}) || len(byHand.Late) != 2 {
		t.Errorf("limited %+v of %+v", limited, byHand)
	}
	if without, removed, err := c.Remove(s, "texlive-base"); err != nil || len(removed) != 1 || len(without.Heavy) != 0 {
		t.Errorf("%+v %q %v", without, removed, err)
	}
	if _, err := c.Dockerfile(docker.Selection{Profile: "chat", Heavy: []string{"$(id)"}}, docker.Style{}); err == nil {
		t.Error("a heavy name is not checked")
	}
}

func TestFragmentLine(t *testing.T) {
	fragment := "\n# mine\nRUNN true\n"
	whole := text(t, shipped(t), docker.Selection{Profile: "chat", Fragment: fragment})
	at := strings.Count(whole[:strings.Index(whole, "RUNN")], "\n") + 1
	if got := docker.FragmentLine(whole, fragment, at); got != 3 {
		t.Errorf("line %d of the whole is line %d of the fragment, want 3", at, got)
	}
	for _, line := range []int{1, at - 2, at + 1} {
		if got := docker.FragmentLine(whole, fragment, line); got != 0 {
			t.Errorf("line %d of the whole is line %d of the fragment", line, got)
		}
	}
}
