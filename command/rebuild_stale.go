package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// buildData is a build for programs.
type buildData struct {
	Image   string      `json:"image"`
	ImageID string      `json:"image_id"`
	Size    int64       `json:"size"`
	Seconds float64     `json:"seconds"`
	Profile string      `json:"profile,omitempty"`
	Builder string      `json:"builder"`
	Outcome string      `json:"outcome"`
	Layers  []layerData `json:"layers"`
}

type layerData struct {
	Name    string  `json:"name"`
	Cached  bool    `json:"cached"`
	Seconds float64 `json:"seconds"`
	Size    int64   `json:"size"`
}

func newBuildData(b store.Build) buildData {
	data := buildData{b.Tag, b.ImageID, b.Size, b.Duration.Seconds(), b.Profile, b.Builder, string(b.Outcome), []layerData{}}
	for _, l := range b.Layers {
		data.Layers = append(data.Layers, layerData{l.Name, l.Cached, l.Duration.Seconds(), l.Size})
	}
	return data
}

// renewed sees to the containers on the old image, once all hosts have the new
// one: a busy container of one is no reason for the next to wait.
func (r *run) renewed(ctx context.Context, answer reply.Answer, err error, hosts []string, recreate bool) (reply.Answer, error) {
	if err != nil {
		return answer, err
	}
	answer.Doc, err = r.renew(ctx, answer.Doc, hosts, recreate)
	return answer, err
}

// stale are the containers of some hosts that run another image than the live one.
func (r *run) stale(ctx context.Context, hosts []string) (all []sandbox.Container, err error) {
	for _, host := range hosts {
		found, err := r.at(host).Builder.Stale(ctx, r.Settings.Image)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// renew tells of the containers that run another image than the live one, and
// makes them anew if that was said, or is now.
func (r *run) renew(ctx context.Context, doc reply.Doc, hosts []string, recreate bool) (reply.Doc, error) {
	stale, err := r.stale(ctx, hosts)
	if err != nil {
		return append(doc, reply.P("⚠️ I could not look for containers on the old image.")), nil
	}
	if len(stale) == 0 {
		return doc, nil
	}
	told := fmt.Sprintf("%s still %s the old image.", listed(containerNames(stale)), oneOrMore(len(stale), "runs", "run"))
	if !recreate {
		r.talk.Update(append(doc, reply.P(told)))
		recreate, err = r.talk.Ask(ctx, reply.Sayf("%s Make %s anew now? What is idle goes at once; for what is busy I wait, and ask you. OpenClaw makes a new one when it needs one.", told, oneOrMore(len(stale), "it", "them")))
		if err != nil && ctx.Err() == nil {
			return append(doc, reply.P(told)), nil
		}
	}
	if !recreate {
		return append(doc, reply.P(told, " They keep it until they are made anew: ", reply.Mono("%srecreate-sandbox", prompt(r.request)), ".")), nil
	}
	renewed, err := r.recreate(ctx, stale, false)
	return append(doc, renewed.Doc...), err
}

func containerNames(list []sandbox.Container) []string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
		if c.Agent != "" {
			names[i] = c.Agent + "'s " + c.Name
		}
	}
	return names
}

func oneOrMore(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

func rollbackSandbox(ctx context.Context, r *run) (reply.Answer, error) {
	if !r.shared.building.TryLock() {
		return reply.Answer{}, Sorry("The sandbox image is being built; wait for it, or stop it with the ❌ under it.")
	}
	image, err := r.Builder.Rollback(ctx, r.Settings.Image)
	r.shared.building.Unlock()
	if errors.Is(err, sandbox.ErrNoPrevious) {
		return reply.Answer{}, Sorry("There is no image to go back to: %s was not rebuilt yet%s.", r.Settings.Image, r.onHost())
	}
	if err != nil {
		return reply.Answer{}, r.buildProblem(ctx, err)
	}
	doc := reply.Say(reply.Mono("%s", r.Settings.Image), fmt.Sprintf(" is the image again that was built %s ago, %s. ", strings.ToLower(units.HumanDuration(time.Since(image.Created))), size(image.Size)),
		reply.Mono("%srollback-sandbox%s", prompt(r.request), r.onFlag()), " goes forward again.")
	return reply.Answer{Doc: doc, Undo: "rollback-sandbox" + r.onFlag()}, nil
}
