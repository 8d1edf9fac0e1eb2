package command

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/githabideri/fraktalia/chart"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

const (
	// mostBuilds and mostGroups bound tables and pictures: both are to be read
	// on a telephone.
	mostBuilds = 6
	// soughtBuilds is how far back the build of the live image is looked for: it
	// need not be the last, where one was rolled back.
	soughtBuilds = 30
	mostGroups   = 8
)

// imageFacts is what the live image is made of, and how it came to be.
type imageFacts struct {
	Host   string     `json:"image_host,omitempty"` // absent on this machine
	Image  string     `json:"image"`
	Exists bool       `json:"image_exists"`
	ID     string     `json:"image_id"`
	Size   int64      `json:"image_size_bytes"`
	Made   time.Time  `json:"image_made"`
	Groups []groupRow `json:"groups"`
	Builds []buildRow `json:"builds"` // newest first
}

// groupRow is what a group of packages adds to the image.
type groupRow struct {
	Name string `json:"name"`
	Size int64  `json:"size_bytes"`
}

// buildRow is one making of the image.
type buildRow struct {
	Started time.Time     `json:"started"`
	Seconds float64       `json:"seconds"`
	Outcome store.Outcome `json:"outcome"`
	Size    int64         `json:"size_bytes"`
	By      string        `json:"by"`
}

func (r *run) imageFacts(ctx context.Context, host string) (imageFacts, error) {
	facts := imageFacts{Host: host, Image: r.Settings.Image, Groups: []groupRow{}, Builds: []buildRow{}}
	image, err := r.Containers.ImageOn(ctx, host, r.Settings.Image)
	if err != nil {
		return facts, err
	}
	facts.Exists, facts.ID, facts.Size, facts.Made = image.Exists, image.ID, image.Size, image.Created
	builds, err := r.Records.Builds(ctx, r.Settings.Image, soughtBuilds)
	if err != nil {
		return facts, err
	}
	builds = r.at(host).buildsHere(builds)
	for _, b := range builds[:min(len(builds), mostBuilds)] {
		facts.Builds = append(facts.Builds, buildRow{b.StartedAt, b.Duration.Seconds(), b.Outcome, b.Size, b.StartedBy})
		if r.request.Role != Owner {
			facts.Builds[len(facts.Builds)-1].By = ""
		}
	}
	at := slices.IndexFunc(builds, func(b store.Build) bool {
		return image.Exists && b.Outcome == store.BuildDone && b.ImageID == image.ID && len(b.Layers) > 0
	})
	if at >= 0 {
		facts.Groups = groups(builds[at].Layers, image.Size)
	}
	return facts, nil
}

// groups adds up what the layers of each group take, largest first; what no
// layer accounts for is the base's.
func groups(layers []store.BuildLayer, whole int64) []groupRow {
	sizes := map[string]int64{}
	var order []string
	for _, layer := range layers {
		if _, known := sizes[layer.Name]; !known {
			order = append(order, layer.Name)
		}
		sizes[layer.Name] += layer.Size
		whole -= layer.Size
	}
	var rows []groupRow
	for _, name := range order {
		if sizes[name] > 0 {
			rows = append(rows, groupRow{name, sizes[name]})
		}
	}
	slices.SortStableFunc(rows, func(a, b groupRow) int { return int(min(max(b.Size-a.Size, -1), 1)) })
	if len(rows) > mostGroups {
		rest := groupRow{Name: fmt.Sprintf("%d more", len(rows)-mostGroups+1)}
		for _, row := range rows[mostGroups-1:] {
			rest.Size += row.Size
		}
		rows = append(rows[:mostGroups-1], rest)
	}
	if whole > 0 {
		rows = append(rows, groupRow{"base", whole})
	}
	return rows
}

func (f imageFacts) doc() reply.Doc {
	if !f.Exists {
		return reply.Doc{reply.P("The image ", reply.Mono("%s", f.Image), onHost(f.Host)+" is not built yet.")}
	}
	doc := reply.Doc{reply.P("The image ", reply.Mono("%s", f.Image), onHost(f.Host)+fmt.Sprintf(" has %s and is %s old.",
		units.HumanSize(float64(f.Size)), strings.ToLower(units.HumanDuration(time.Since(f.Made)))))}
	if len(f.Groups) > 0 {
		table := reply.Table{Head: []string{"group", "size"}}
		for _, g := range f.Groups {
			table.Rows = append(table.Rows, []any{g.Name, units.HumanSize(float64(g.Size))})
		}
		doc = append(doc, table)
	}
	if len(f.Builds) > 0 {
		table := reply.Table{Head: []string{"built", "took", "size", "how it ended"}}
		for _, b := range f.Builds {
			table.Rows = append(table.Rows, []any{b.Started.Format("2006-01-02 15:04"), b.took(), b.sizeText(), string(b.Outcome)})
		}
		doc = append(doc, table)
	}
	return doc
}

// imagesOn says in a line each how the image is on further hosts.
func (r *run) imagesOn(ctx context.Context, hosts []string) (doc reply.Doc) {
	for _, host := range hosts {
		image, err := r.imageFacts(ctx, host)
		if err != nil {
			doc = append(doc, reply.P("The image on ", placeName(host), " is not known: its engine does not answer."))
			continue
		}
		doc = append(doc, image.doc()[0])
	}
	return doc
}

func (b buildRow) took() string {
	if b.Outcome == store.BuildRunning {
		return "…"
	}
	return time.Duration(b.Seconds * float64(time.Second)).Round(time.Second).String()
}

func (b buildRow) sizeText() string {
	if b.Size == 0 {
		return ""
	}
	return units.HumanSize(float64(b.Size))
}

// attachCharts shows what the tables say as pictures, and tells where it could
// not.
func (r *run) attachCharts(ctx context.Context, f imageFacts) reply.Doc {
	stamp := time.Now().Format("2006-01-02-150405")
	for i, c := range []chart.Chart{f.sizes(), f.times()} {
		if len(c.Bars) == 0 {
			continue
		}
		name := []string{"sandbox-size-", "sandbox-builds-"}[i] + stamp + ".png"
		if err := r.attachChart(ctx, name, c); err != nil {
			return reply.Doc{reply.P("The pictures could not be handed over.")}
		}
	}
	return nil
}

func (r *run) attachChart(ctx context.Context, name string, c chart.Chart) error {
	picture, err := c.Draw()
	if err != nil {
		return err
	}
	return r.talk.Attach(ctx, reply.File{Name: name, Type: "image/png", Size: int64(len(picture.PNG)), Body: bytes.NewReader(picture.PNG),
		Width: picture.Width, Height: picture.Height})
}

func (f imageFacts) sizes() chart.Chart {
	c := chart.Chart{Title: "What the image is made of, " + units.HumanSize(float64(f.Size))}
	for _, g := range f.Groups {
		bar := chart.Bar{Label: g.Name, Text: units.HumanSize(float64(g.Size)), Value: float64(g.Size)}
		if g.Name == "base" {
			bar.Tone = chart.Muted
		}
		c.Bars = append(c.Bars, bar)
	}
	return c
}

// times has the oldest build first: time runs downward.
func (f imageFacts) times() chart.Chart {
	c := chart.Chart{Title: "The last builds"}
	for _, b := range slices.Backward(f.Builds) {
		if b.Outcome == store.BuildRunning {
			continue
		}
		bar := chart.Bar{Label: b.Started.Format("2 Jan 15:04"), Text: b.took(), Value: b.Seconds}
		if b.Outcome != store.BuildDone {
			bar.Text, bar.Tone = b.took()+", "+string(b.Outcome), chart.Alarm
		}
		c.Bars = append(c.Bars, bar)
	}
	return c
}
