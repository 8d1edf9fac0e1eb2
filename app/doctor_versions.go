package app

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/homeserver"
)

//go:embed versions.yaml
var knownVersions []byte

// tried is what is known of a program's versions.
type tried struct {
	Program string `yaml:"program"`
	Oldest  string `yaml:"oldest"`
	Newest  string `yaml:"newest"`
	Why     string `yaml:"why"`
}

// versionsHealth holds the versions of what runs here against those that were
// tried. What is not there, or does not answer, is another line's business.
func (d *deployment) versionsHealth(ctx context.Context) command.Finding {
	var known []tried
	if err := yaml.Unmarshal(knownVersions, &known); err != nil {
		return notWell("tell the makers of Fraktalia", "the list of versions cannot be read")
	}
	return judgeVersions(known, d.versionsHere(ctx))
}

// versionHere is one program's version.
type versionHere struct{ program, version string }

func (d *deployment) versionsHere(ctx context.Context) (here []versionHere) {
	if version, err := d.engineVersion(ctx); err == nil {
		here = append(here, versionHere{"Docker", version})
	}
	// One that hangs is another line's business, too.
	ctx, cancel := context.WithTimeout(ctx, answerSoon)
	defer cancel()
	if name, version, err := homeserver.NewClient(d.config.Homeserver.Address, nil).Version(ctx); err == nil {
		here = append(here, versionHere{name, version})
	}
	if version, err := d.agents.checker.Version(); err == nil {
		here = append(here, versionHere{"OpenClaw", version})
	}
	return here
}

// judgeVersions says which of them were never tried.
func judgeVersions(known []tried, here []versionHere) command.Finding {
	var names, old, fresh []string
	for _, v := range here {
		name := v.program + " " + v.version
		names = append(names, name)
		at := slices.IndexFunc(known, func(k tried) bool { return k.Program == v.program })
		switch {
		case at < 0 || numbers(v.version) == nil:
			fresh = append(fresh, name)
		case slices.Compare(numbers(v.version), numbers(known[at].Oldest)) < 0:
			old = append(old, fmt.Sprintf("%s is older than %s (%s)", name, known[at].Oldest, known[at].Why))
		case slices.Compare(firstTwo(v.version), firstTwo(known[at].Newest)) > 0:
			fresh = append(fresh, fmt.Sprintf("%s is newer than %s", name, known[at].Newest))
		}
	}
	switch {
	case len(here) == 0:
		return unsure("see homeserver and docker", "not known: nothing answers")
	case len(old) > 0:
		return notWell("bring it up to date", "%s", strings.Join(old, "; "))
	case len(fresh) > 0:
		return unsure("it may work as well; say what does not", "%s: I was not tried with that", strings.Join(fresh, "; "))
	}
	return well("%s: as tried", strings.Join(names, ", "))
}

// numbers are those at the beginning of a version: 20, 10, 24 of
// "20.10.24+dfsg1"; nil where it begins with none.
func numbers(version string) (list []int) {
	for part := range strings.SplitSeq(version, ".") {
		digits := len(part) - len(strings.TrimLeft(part, "0123456789"))
		n, err := strconv.Atoi(part[:digits])
		if err != nil {
			return list
		}
		list = append(list, n)
		if digits < len(part) {
			return list
		}
	}
	return list
}

func firstTwo(version string) []int {
	all := numbers(version)
	return all[:min(len(all), 2)]
}
