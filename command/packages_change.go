package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

// packagesChange is one change of the selection.
type packagesChange struct {
	before, after docker.Selection
	did           string   // what was done, for people
	added         []string // packages that are new, to be looked up
}

// readPackagesChange turns words into a change.
func (r *run) readPackagesChange(catalog docker.Catalog, args []string, flags packagesFlags) (packagesChange, error) {
	before, err := r.Recipe.Selection()
	if err != nil {
		return packagesChange{}, err
	}
	change := packagesChange{before: before, after: before}
	if len(args) == 0 {
		return change, nil
	}
	names := args[1:]
	switch {
	case args[0] == "add" && len(names) > 0:
		return change.add(catalog, names, flags.anyway, prompt(r.request))
	case args[0] == "remove" && len(names) > 0:
		return change.remove(catalog, names)
	case args[0] == "profile" && len(names) == 1:
		change.after.Profile = names[0]
		change.did = fmt.Sprintf("The profile is %s now; it was %s.", names[0], before.Profile)
	case args[0] == "settle" && len(names) == 0:
		return change.settle()
	case args[0] == "use" && len(names) > 0:
		return change.use(names)
	default:
		return change, &Problem{Sentence: "Say add or remove with names of packages, profile with a name, or settle", Usage: true}
	}
	_, err = catalog.Layers(change.after)
	return change, err
}

func (c packagesChange) add(catalog docker.Catalog, names []string, anyway bool, prompt string) (packagesChange, error) {
	if err := refuseHeavy(catalog, names, anyway, prompt); err != nil {
		return c, err
	}
	var err error
	if c.after, c.added, err = catalog.Add(c.before, names...); err != nil {
		return c, err
	}
	if len(c.added) == 0 {
		return c, Sorry("%s %s in the image already, or will be with the next build. Nothing was changed.", listed(names), isOrAre(len(names)))
	}
	c.did = fmt.Sprintf("Added: %s.", listed(c.added))
	if old := missing(names, c.added); len(old) > 0 {
		c.did += fmt.Sprintf(" In it already: %s.", listed(old))
	}
	return c, nil
}

// refuseHeavy says why not, and the way round.
func refuseHeavy(catalog docker.Catalog, names []string, anyway bool, prompt string) error {
	heavy := catalog.HeavyOnes(names...)
	if anyway || len(heavy) == 0 {
		return nil
	}
	name := slices.Sorted(maps.Keys(heavy))[0]
	sentence := fmt.Sprintf("I do not add %s: %s.", name, heavy[name].Reason)
	if heavy[name].Instead != "" {
		sentence += " Instead: " + heavy[name].Instead + "."
	}
	return Sorry("%s If you insist: %spackages add %s --anyway builds it under a limit of memory.", sentence, prompt, strings.Join(names, " "))
}

func (c packagesChange) remove(catalog docker.Catalog, names []string) (packagesChange, error) {
	after, removed, err := catalog.Remove(c.before, names...)
	if err != nil {
		return c, err
	}
	if none := missing(names, removed); len(none) > 0 {
		return c, Sorry("%s %s not in the image by name. Nothing was changed.", listed(none), isOrAre(len(none)))
	}
	c.after, c.did = after, fmt.Sprintf("Removed: %s.", listed(removed))
	return c, nil
}

func (c packagesChange) settle() (packagesChange, error) {
	if len(c.before.Late) == 0 {
		return c, Sorry("There are no late packages to settle.")
	}
	c.after = c.before.Settled()
	c.did = fmt.Sprintf("%s will be one layer with what was added before. The next build makes that layer anew.", listed(c.before.Late))
	return c, nil
}

// use reads a whole selection: web own=a,b late=c without=d heavy=e.
func (c packagesChange) use(words []string) (packagesChange, error) {
	c.after = docker.Selection{Profile: words[0], Fragment: c.before.Fragment}
	lists := map[string]*[]string{"own": &c.after.Own, "late": &c.after.Late, "without": &c.after.Without, "heavy": &c.after.Heavy}
	for _, word := range words[1:] {
		key, names, ok := strings.Cut(word, "=")
		if !ok || lists[key] == nil {
			return c, &Problem{Sentence: fmt.Sprintf("%.40q is none of own=, late=, without= and heavy= with names of packages", word), Usage: true}
		}
		*lists[key] = slices.DeleteFunc(strings.Split(names, ","), func(name string) bool { return name == "" })
	}
	had := slices.Concat(c.before.Own, c.before.Late, c.before.Heavy)
	c.added = missing(slices.Concat(c.after.Own, c.after.Late, c.after.Heavy), had)
	c.did = "The packages are " + strings.TrimPrefix(usedLine(c.after), "packages use ") + " now."
	catalog, err := docker.Shipped()
	if err == nil {
		_, err = catalog.Layers(c.after)
	}
	return c, err
}

// usedLine is the command line that makes a selection what it is.
func usedLine(s docker.Selection) string {
	line := "packages use " + s.Profile
	for _, list := range []struct {
		key   string
		names []string
	}{{"own", s.Own}, {"late", s.Late}, {"without", s.Without}, {"heavy", s.Heavy}} {
		if len(list.names) > 0 {
			line += " " + list.key + "=" + strings.Join(list.names, ",")
		}
	}
	return line
}

// choose keeps a change, and builds it where that was asked.
func (r *run) choose(ctx context.Context, catalog docker.Catalog, change packagesChange, flags packagesFlags) (reply.Answer, error) {
	undo, back := usedLine(change.before), usedLine(change.after)
	if undo != back {
		if err := r.checkNames(ctx, change.added); err != nil {
			return reply.Answer{}, err
		}
		if err := r.Recipe.Choose(change.after); err != nil {
			return reply.Answer{}, err
		}
	} else if change.did != "" {
		return reply.Answer{Doc: reply.Say("That is how it is already. Nothing was changed."), Data: packagesData{Profile: change.after.Profile}}, nil
	}
	if flags.rebuild {
		answer, err := rebuildOn(ctx, r, flags.on, rebuildFlags{anyway: flags.anyway})
		answer.Undo = undo
		if undo == back {
			answer.Undo = ""
		}
		return answer, r.chosenAll(err, change, undo)
	}
	doc := reply.Doc{reply.P(change.did, " ", reply.Mono("%srebuild-sandbox", prompt(r.request)), " makes it real; ", reply.Mono("%sundo", prompt(r.request)), " takes it back.")}
	live, err := r.liveBuild(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	rows := packageRows(catalog, change.after, live)
	return reply.Answer{Doc: doc, Data: packagesData{Profile: change.after.Profile, Groups: rows, Without: change.after.Without}, Undo: undo}, nil
}

// chosenAll adds to the failure of a build that the change is kept all the same.
func (r *run) chosenAll(err error, change packagesChange, undo string) error {
	var problem *Problem
	if err == nil || change.did == "" || !errors.As(err, &problem) {
		return err
	}
	told := *problem
	told.Sentence += fmt.Sprintf(" What you chose is kept (%s); %s%s takes it back.", strings.TrimSuffix(change.did, "."), prompt(r.request), undo)
	return &told
}

// checkNames asks the distribution whether it has the packages.
func (r *run) checkNames(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	stop := r.waiting("Asking the distribution for " + listed(names))
	defer stop()
	base, err := r.Builder.EnsureBase(ctx, sandbox.BaseOptions{Ref: r.Settings.Base}, nil)
	if err != nil {
		return r.buildProblem(ctx, err)
	}
	unknown, err := r.Builder.UnknownPackages(ctx, base.Ref, names)
	var down *sandbox.EngineDownError
	switch {
	case errors.As(err, &down) || ctx.Err() != nil:
		return r.buildProblem(ctx, err)
	case err != nil:
		return Because(err, "I could not ask the distribution whether it has %s: its mirror cannot be reached from a container. See that the machine is online, and say it again; nothing was changed.", listed(names))
	}
	return unknownProblem(unknown)
}

// unknownProblem offers the nearest names.
func unknownProblem(unknown []sandbox.UnknownPackage) error {
	if len(unknown) == 0 {
		return nil
	}
	var said []string
	for _, u := range unknown {
		text := fmt.Sprintf("The distribution has no package %s", u.Name)
		if len(u.Near) > 0 {
			text += ", but " + listed(u.Near)
		}
		said = append(said, text+".")
	}
	return Sorry("%s Nothing was changed.", strings.Join(said, " "))
}

// missing are those of names that are not among others.
func missing(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

// listed joins names as people do.
func listed(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
