package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

// Containers is what the commands for the agents' containers act on.
type Containers interface {
	Containers(ctx context.Context) ([]sandbox.Container, error)
	ImageInfo(ctx context.Context, ref string) (sandbox.Image, error)
	ImageOn(ctx context.Context, host, ref string) (sandbox.Image, error)
	Usages(ctx context.Context, containers []sandbox.Container) []sandbox.Usage
	Works(ctx context.Context, c sandbox.Container) ([]sandbox.Work, error)
	// LastUse is when a command last began or ended in a container; zero where
	// none was seen since the second time.
	LastUse(id string) (last, since time.Time)
	Logs(ctx context.Context, c sandbox.Container, lines int) ([]byte, error)
	Exec(ctx context.Context, id string, c sandbox.Command) (status int, err error)
	Recreate(ctx context.Context, id string) error
	OldImages(ctx context.Context, kind string) ([]sandbox.Image, error)
	RemoveImages(ctx context.Context, old []sandbox.Image) error
}

func (r *run) containersFamily() []*cobra.Command {
	var picture bool
	cmd := &cobra.Command{
		Use:         "sandbox",
		Short:       "the agents' containers: their image, what they do and take; and what the image is made of",
		Long:        "In a room pictures of the image's size and of the last builds come along.",
		Args:        subcommand,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE: r.does(func(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
			return showSandboxes(ctx, r, picture)
		}),
	}
	cmd.Flags().BoolVar(&picture, "picture", false, "write the pictures into files, in the shell too")
	cmd.AddCommand(r.logsCommand(), r.runCommand(), r.pruneCommand())
	return []*cobra.Command{cmd, r.recreateCommand()}
}

// subcommand wants no words: one that is there is no subcommand of cmd.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, child := range cmd.Commands() {
		names = append(names, child.Name())
	}
	cmd.SuggestionsMinimumDistance = 2
	near := nearest(cmd.SuggestionsFor(args[0]), "There are "+strings.Join(names, ", ")+".", len(names))
	return Sorry("There is no %s %.40s.%s", cmd.Name(), args[0], near)
}

// containerRow is one container for programs.
type containerRow struct {
	// Agent is "" for the sandbox that all agents share.
	Agent string `json:"agent"`
	Host  string `json:"host,omitempty"` // absent on this machine
	Name  string `json:"name"`
	State string `json:"state"`
	Image string `json:"image"`
	// Stale says that the image's name means another image by now.
	Stale     bool      `json:"stale"`
	ImageGone bool      `json:"image_gone"` // nothing goes by that name
	Created   time.Time `json:"created"`
	User      string    `json:"user"` // "" is the image's own
	Networks  []string  `json:"networks"`
	Memory    int64     `json:"memory_bytes"`
	Limit     int64     `json:"memory_limit_bytes"` // 0 is none
	CPU       float64   `json:"cpu"`                // of one processor
	Disk      int64     `json:"disk_bytes"`
	Measured  bool      `json:"measured"` // false: some of these are not known
	Works     []string  `json:"works"`    // what runs in it beside its own program
	// LastUse is absent where none was seen since UnusedSince.
	LastUse     *time.Time `json:"last_use,omitempty"`
	UnusedSince *time.Time `json:"unused_since,omitempty"`
}

func showSandboxes(ctx context.Context, r *run, picture bool) (reply.Answer, error) {
	containers, err := r.Containers.Containers(ctx)
	if err != nil {
		return reply.Answer{}, r.containerProblem(err)
	}
	rows, err := r.containerRows(ctx, r.ownContainers(containers))
	if err != nil {
		return reply.Answer{}, r.containerProblem(err)
	}
	hosts := r.ownHosts()
	image, err := r.imageFacts(ctx, hosts[0])
	if err != nil {
		return reply.Answer{}, r.containerProblem(err)
	}
	doc := append(r.containerTable(rows), image.doc()...)
	doc = append(doc, r.imagesOn(ctx, hosts[1:])...)
	if r.request.Role == Owner && (picture || !r.request.Shell && !r.request.json()) { // files go to the owners, who have not asked
		doc = append(doc, r.attachCharts(ctx, image)...)
	}
	return reply.Answer{Doc: doc, Data: struct {
		Containers []containerRow `json:"containers"`
		imageFacts
	}{rows, image}}, nil
}

// containerRows finds out all about containers.
func (r *run) containerRows(ctx context.Context, containers []sandbox.Container) ([]containerRow, error) {
	live, err := r.liveImages(ctx, containers)
	if err != nil {
		return nil, err
	}
	rows := make([]containerRow, len(containers))
	for i, u := range r.Containers.Usages(ctx, containers) {
		c, image := containers[i], live[whichImage(containers[i])]
		rows[i] = containerRow{Agent: c.Agent, Host: c.Host, Name: c.Name, State: c.State, Image: c.Image, Stale: stale(c, image), ImageGone: !image.Exists,
			Created: c.Created, User: c.User, Networks: append([]string{}, c.Networks...),
			Memory: u.Memory, Limit: u.Limit, CPU: u.CPU, Disk: u.Disk, Measured: u.Err == nil, Works: []string{}}
		for _, work := range u.Works {
			rows[i].Works = append(rows[i].Works, work.Command)
		}
		rows[i].LastUse, rows[i].UnusedSince = r.lastUse(c)
	}
	return rows, nil
}

// liveImages are the images that the containers' names of them mean now.
func (r *run) liveImages(ctx context.Context, containers []sandbox.Container) (map[string]sandbox.Image, error) {
	live := map[string]sandbox.Image{}
	for _, c := range containers {
		if _, known := live[whichImage(c)]; known {
			continue
		}
		image, err := r.Containers.ImageOn(ctx, c.Host, c.Image)
		if err != nil {
			return nil, err
		}
		live[whichImage(c)] = image
	}
	return live, nil
}

// whichImage tells the images of one name on several hosts apart.
func whichImage(c sandbox.Container) string { return c.Host + " " + c.Image }

// stale says that a container runs another image than its name means now.
func stale(c sandbox.Container, live sandbox.Image) bool { return live.Exists && live.ID != c.ImageID }

// lastUse is when a container was last used, or else since when it was not.
func (r *run) lastUse(c sandbox.Container) (last, unused *time.Time) {
	at, since := r.Containers.LastUse(c.ID)
	if since.IsZero() { // nobody has looked yet
		since = time.Now()
	}
	switch {
	case !at.IsZero():
		return &at, nil
	case c.Created.After(since):
		return nil, &c.Created
	}
	return nil, &since
}

func (r *run) containerTable(rows []containerRow) reply.Doc {
	switch {
	case len(rows) == 0 && r.request.Role != Owner:
		return reply.Say("You have no sandbox of your own at present.")
	case len(rows) == 0:
		return reply.Say("There is no sandbox container. OpenClaw makes one when an agent first needs it.")
	}
	table := reply.Table{Head: []string{"agent", "image", "what it does", "takes", "network, user"}}
	old := 0
	for _, row := range rows {
		table.Rows = append(table.Rows, []any{row.who(), row.imageText(), row.useText(), row.takes(), row.where()})
		if row.Stale {
			old++
		}
	}
	doc := reply.Doc{table}
	if old > 0 {
		doc = append(doc, reply.P(fmt.Sprintf("%d %s an older image. ", old, plural(old, "container runs", "containers run")),
			reply.Mono("%srecreate-sandbox", prompt(r.request)), " has them made anew."))
	}
	return doc
}

func (row containerRow) who() reply.Line {
	who := reply.Line{reply.Bold("%s", row.Agent)}
	if row.Agent == "" {
		who = reply.Line{"all agents"}
	}
	if row.Host != "" {
		who = append(who, " on "+row.Host)
	}
	return who
}

func (row containerRow) imageText() string {
	age := ", " + strings.ToLower(units.HumanDuration(time.Since(row.Created))) + " old"
	switch {
	case row.ImageGone:
		return "❌ " + shorten(row.Image, 40) + " is no image any more" + age
	case row.Stale:
		return "⚠️ older than " + shorten(row.Image, 40) + age
	}
	return "✅ " + shorten(row.Image, 40) + age
}

func (row containerRow) useText() string {
	switch {
	case row.State != "running":
		return row.State
	case len(row.Works) > 1:
		return fmt.Sprintf("busy: %s and %d more", shorten(row.Works[0], 40), len(row.Works)-1)
	case len(row.Works) == 1:
		return "busy: " + shorten(row.Works[0], 40)
	case row.LastUse != nil:
		return "idle for " + strings.ToLower(units.HumanDuration(time.Since(*row.LastUse)))
	}
	if row.UnusedSince.Equal(row.Created) {
		return "not used yet"
	}
	return "not used for " + strings.ToLower(units.HumanDuration(time.Since(*row.UnusedSince))) + " or more"
}

func (row containerRow) takes() string {
	if !row.Measured {
		return "not known"
	}
	disk := units.HumanSize(float64(row.Disk)) + " disk"
	if row.State != "running" && row.State != "paused" {
		return disk
	}
	memory := units.HumanSize(float64(row.Memory))
	if row.Limit > 0 {
		memory += " of " + units.HumanSize(float64(row.Limit))
	}
	return fmt.Sprintf("%s, %.0f %% CPU, %s", memory, 100*row.CPU, disk)
}

func (row containerRow) where() string {
	networks := strings.Join(row.Networks, " and ")
	return orElse(networks, "no network") + ", " + orElse(row.User, "the image's user")
}

// pick finds the one container that is meant: by its agent, or by its own name.
func (r *run) pick(ctx context.Context, whose string) (sandbox.Container, error) {
	all, err := r.Containers.Containers(ctx)
	if err != nil {
		return sandbox.Container{}, r.containerProblem(err)
	}
	found := all
	if whose != "" {
		found = slices.DeleteFunc(slices.Clone(all), func(c sandbox.Container) bool { return c.Name != whose && owner(c) != whose })
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return sandbox.Container{}, Sorry("There is no sandbox container. OpenClaw makes one when an agent first needs it.")
	case len(found) == 0:
		return sandbox.Container{}, r.noContainer(all, whose)
	case whose == "":
		return sandbox.Container{}, Sorry("There are %d sandboxes; say whose: %s.", len(found), strings.Join(owners(found), ", "))
	}
	return sandbox.Container{}, Sorry("%s has %d sandboxes; name one of them: %s.", whose, len(found), strings.Join(names(found), ", "))
}

// sharedName is what people call the sandbox that all agents share.
const sharedName = "shared"

// owner is whose a container is.
func owner(c sandbox.Container) string { return orElse(c.Agent, sharedName) }

func owners(containers []sandbox.Container) []string {
	var list []string
	for _, c := range containers {
		list = append(list, owner(c))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func names(containers []sandbox.Container) []string {
	var list []string
	for _, c := range containers {
		list = append(list, c.Name)
	}
	return list
}

// noContainer says why there is none of that name: an agent may be there and
// have needed none yet.
func (r *run) noContainer(all []sandbox.Container, whose string) error {
	if config, err := r.Agents.Load(); err == nil {
		if _, err := config.Agent(whose); err == nil {
			return Sorry("%s has no sandbox yet. OpenClaw makes one when the agent first needs it.", whose)
		}
	}
	return Sorry("There is no sandbox of %.64s.%s", whose,
		nearest(json5.Nearest(whose, append(owners(all), names(all)...)), "There are those of "+strings.Join(owners(all), ", ")+".", 1))
}

// containerProblem words why something about containers did not work.
func (r *run) containerProblem(err error) error {
	var down *sandbox.EngineDownError
	var stopped *sandbox.NotRunningError
	switch {
	case errors.As(err, &down) && r.isHost(down.Host):
		return Because(err, "The Docker engine on %s does not answer. %sstatus says what hinders it; say it again when it is back.", down.Host, prompt(r.request))
	case errors.As(err, &down):
		return Because(err, "The Docker engine at %s does not answer. Start it (systemctl start docker), and say it again.", down.Host)
	case errors.As(err, &stopped):
		return Because(err, "The sandbox does not run any more. OpenClaw starts it, or makes a new one, when the agent next needs it.")
	}
	return err
}
