package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/docker"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// packagesLane keeps changes of the selection in the order of their commands.
const packagesLane = "packages"

const packagesUsage = "packages [add NAME... | remove NAME... | profile NAME | settle | use ...] [--rebuild] [--anyway] [--on HOST]"

// packagesFlags are the flags of !packages.
type packagesFlags struct {
	rebuild, anyway bool
	on              string
}

func (r *run) packagesCommand() *cobra.Command {
	var flags packagesFlags
	cmd := &cobra.Command{
		Use:   packagesUsage,
		Short: "lists or changes what is in the sandbox image",
		Long: "A profile is a choice of groups: chat, web, media or full. add puts packages of the distribution on top, each as a last layer, so that nothing else " +
			"is built anew; settle folds these into one layer. Names are checked against the distribution first. A change becomes real with rebuild-sandbox, " +
			"and undo takes it back. use sets everything at once: use web late=jq,htop without=npm.",
		Example:     "packages add ripgrep jq",
		Annotations: map[string]string{laneKey: packagesLane, jsonKey: "yes", verbKey: "0"},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.answer, err = packages(cmd.Context(), r, args, flags); err != nil {
				return asUsage(r.request, cmd, err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&flags.rebuild, "rebuild", false, "build the image at once")
	cmd.Flags().StringVar(&flags.on, "on", "", "the image of this `host` of fraktalia.yaml, of the one where this agent lives, or here")
	cmd.Flags().BoolVar(&flags.anyway, "anyway", false, "take a package that has broken machines; it is built under a limit of memory")
	return cmd
}

func packages(ctx context.Context, r *run, args []string, flags packagesFlags) (reply.Answer, error) {
	catalog, err := docker.Shipped()
	if err != nil {
		return reply.Answer{}, err
	}
	if r, err = r.home(flags.on); err != nil {
		return reply.Answer{}, err
	}
	if len(args) == 0 && !flags.rebuild {
		return listPackages(ctx, r, catalog)
	}
	own, ok, err := r.Recipe.Own()
	if err != nil {
		return reply.Answer{}, r.recipeProblem(err)
	}
	if ok {
		return reply.Answer{}, Sorry("The image is made from %s (sandbox.dockerfile in fraktalia.yaml), so packages are chosen there, not here.", own.Path)
	}
	change, err := r.readPackagesChange(catalog, args, flags)
	if err != nil {
		return reply.Answer{}, r.recipeProblem(err)
	}
	return r.choose(ctx, catalog, change, flags)
}

// listPackages shows what was chosen, and how that is in the image.
func listPackages(ctx context.Context, r *run, catalog docker.Catalog) (reply.Answer, error) {
	own, ok, err := r.Recipe.Own()
	if err != nil {
		return reply.Answer{}, r.recipeProblem(err)
	}
	if ok {
		doc := reply.Say("The image is made from ", reply.Mono("%s", own.Path), " (sandbox.dockerfile in fraktalia.yaml), so packages are chosen there.")
		return reply.Answer{Doc: doc, Data: packagesData{Dockerfile: own.Path}}, nil
	}
	selection, err := r.Recipe.Selection()
	if err != nil {
		return reply.Answer{}, r.recipeProblem(err)
	}
	if _, err := catalog.Layers(selection); err != nil {
		return reply.Answer{}, r.recipeProblem(err)
	}
	live, err := r.liveBuild(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	rows := packageRows(catalog, selection, live)
	doc := reply.Doc{
		reply.P("Profile ", reply.Bold("%s", selection.Profile), ", of ", listed(catalog.ProfileNames()), ".", r.whoseImage()),
		packagesTable(rows),
	}
	if notes := packagesNotes(r.request, rows, selection); len(notes.Items) > 0 {
		doc = append(doc, notes)
	}
	return reply.Answer{Doc: doc, Data: packagesData{Profile: selection.Profile, Groups: rows, Without: selection.Without}}, nil
}

// packagesData is the selection for programs.
type packagesData struct {
	Dockerfile string       `json:"dockerfile,omitempty"`
	Profile    string       `json:"profile,omitempty"`
	Groups     []packageRow `json:"groups,omitempty"`
	Without    []string     `json:"without,omitempty"`
}

// packageRow is a group, or a package that was added.
type packageRow struct {
	Group    string   `json:"group"`
	Packages []string `json:"packages"`
	Kind     string   `json:"kind"`   // group, own, late or heavy
	Chosen   bool     `json:"chosen"` // in the selection
	Built    bool     `json:"built"`  // in the image, just so
	Size     int64    `json:"size"`   // bytes in the image; 0 is not known
	// Leaves says that it is in the image, and will not be after the next build.
	Leaves bool `json:"leaves,omitempty"`
}

// packageRows lists every group of the catalogue, and what was added.
func packageRows(catalog docker.Catalog, s docker.Selection, live store.Build) []packageRow {
	layers, _ := catalog.Layers(s)
	heavy, _ := docker.HeavyLayers(s)
	var rows []packageRow
	for _, group := range catalog.Groups {
		row := packageRow{Group: group.Name, Packages: group.Packages, Kind: "group"}
		if at := slices.IndexFunc(layers, func(l docker.Layer) bool { return l.Name == group.Name }); at >= 0 {
			row.Packages, row.Chosen = layers[at].Packages, true
			layers = slices.Delete(layers, at, at+1)
		}
		rows = append(rows, row.in(live))
	}
	for _, layer := range append(layers, heavy...) {
		row := packageRow{Group: layer.Name, Packages: layer.Packages, Kind: "late", Chosen: true}
		if slices.Contains(s.Heavy, layer.Name) {
			row.Kind = "heavy"
		} else if !slices.Contains(s.Late, layer.Name) {
			row.Kind = "own"
		}
		rows = append(rows, row.in(live))
	}
	return append(rows, leaving(rows, live)...)
}

// leaving are the packages that were added once, are in the image, and were
// taken out since.
func leaving(rows []packageRow, live store.Build) (list []packageRow) {
	for _, layer := range live.Layers {
		names, installs := strings.CutPrefix(layer.Step, (docker.Layer{}).Step())
		if !installs || slices.ContainsFunc(rows, func(p packageRow) bool { return p.Group == layer.Name }) {
			continue
		}
		list = append(list, packageRow{Group: layer.Name, Packages: strings.Fields(names), Kind: "late", Leaves: true, Size: layer.Size})
	}
	return list
}

// in looks the row up in the last build.
func (p packageRow) in(live store.Build) packageRow {
	for _, layer := range live.Layers {
		if layer.Name == p.Group {
			p.Built = p.Chosen && layer.Step == (docker.Layer{Packages: p.Packages}).Step()
			p.Leaves = !p.Chosen
			p.Size = layer.Size
		}
	}
	return p
}

func packagesTable(rows []packageRow) reply.Table {
	table := reply.Table{Head: []string{"", "group", "packages", "size"}}
	for _, row := range rows {
		name := any(reply.Bold("%s", row.Group))
		if row.Kind == "late" || row.Kind == "heavy" {
			name = row.Kind
		}
		size := ""
		if row.Size > 0 {
			size = units.HumanSize(float64(row.Size))
		}
		table.Rows = append(table.Rows, []any{row.mark(), name, strings.Join(row.Packages, " "), size})
	}
	return table
}

// mark shows where a group stands.
func (p packageRow) mark() string {
	switch {
	case p.Built:
		return "✅"
	case p.Chosen:
		return "⏳"
	case p.Leaves:
		return "🗑️"
	}
	return "—"
}

func packagesNotes(request Request, rows []packageRow, s docker.Selection) reply.List {
	var notes reply.List
	note := func(parts ...any) { notes.Items = append(notes.Items, parts) }
	has := func(is func(packageRow) bool) bool { return slices.ContainsFunc(rows, is) }
	if has(func(p packageRow) bool { return p.Chosen && !p.Built }) {
		note("⏳ comes with the next ", reply.Mono("%srebuild-sandbox", prompt(request)), ".")
	}
	if has(func(p packageRow) bool { return p.Leaves }) {
		note("🗑️ goes with it.")
	}
	if len(s.Without) > 0 {
		note("Left out of their groups: ", strings.Join(s.Without, " "), ".")
	}
	if n := len(s.Late); n > 2 {
		note(fmt.Sprintf("%d late packages are a layer each; ", n), reply.Mono("%spackages settle", prompt(request)), " folds them into one.")
	}
	if s.Fragment != "" {
		note("Your own instructions (sandbox.fragment) come after all packages.")
	}
	return notes
}

// liveBuild is the build whose image is live, as far as the records tell; zero
// where there is none.
func (r *run) liveBuild(ctx context.Context) (store.Build, error) {
	builds, err := r.Records.Builds(ctx, r.Settings.Image, recordedBuilds)
	if err != nil {
		return store.Build{}, err
	}
	builds = r.buildsHere(builds)
	image, err := r.Builder.ImageInfo(ctx, r.Settings.Image)
	if err != nil { // no engine: the last one is the best guess
		image.ID = ""
	}
	for _, b := range builds {
		if b.Outcome == store.BuildDone && (image.ID == "" && err != nil || b.ImageID == image.ID) {
			return b, nil
		}
	}
	return store.Build{}, nil
}

// recordedBuilds is how many builds are looked through.
const recordedBuilds = 30
