package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/githabideri/fraktalia/aside"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/openclaw/programs"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/stack"
)

// before keeps OpenClaw's state as it was before a newer release came to it, for
// an older one does not open what a newer one has changed. Workspaces and the
// configuration are nothing that a release changes.
func (c *localClaw) before() aside.Copy {
	return aside.Copy{Folder: filepath.Join(c.data, "openclaw-before-upgrade"), Of: c.folder(), Names: []string{"state", "matrix", "agents", "credentials", "identity"}}
}

// earlier is the release that this data folder worked with; false where it is the
// same, or there is none.
func (c *localClaw) earlier(ctx context.Context) (old programs.Programs, ok bool, err error) {
	old, ours, err := programs.Of(ctx, c.folder())
	return old, err == nil && ours && old.Dir() != c.programs.Dir(), err
}

// fetch brings OpenClaw's programs. Where they cannot be had, those of an earlier
// release go on.
func (c *localClaw) fetch(ctx context.Context) error {
	folder := programs.DefaultCache()
	if folder == "" {
		folder = filepath.Join(c.folder(), "programs")
	}
	var err error
	c.programs, err = programs.Install(ctx, folder, func(s programs.Step) { c.screen.part(clawSteps[s]) })
	if err == nil || ctx.Err() != nil {
		return err
	}
	c.log.WithError(err).Warn("OpenClaw's programs could not be brought") // an error would be shown twice
	problem := c.fetchProblem(err, folder)
	if !c.whole {
		return problem
	}
	old, there, ofErr := c.earlier(ctx)
	if ofErr != nil || !there || old.Version() == "" {
		return problem
	}
	c.unfetched = problem
	return c.goOnWith(old)
}

// goOnWith has all that asks OpenClaw find an earlier release.
func (c *localClaw) goOnWith(old programs.Programs) error {
	c.programs = old
	return os.Setenv("PATH", old.Path())
}

// startGateway starts the gateway. A newer release than the data folder worked with
// takes over once it answers; else the earlier one goes on, with the state that it
// had.
func (c *localClaw) startGateway(ctx context.Context, d *deployment) error {
	before := c.before()
	if before.Kept() { // killed in the middle of it
		if err := before.PutBack(); err != nil {
			return err
		}
	}
	if c.unfetched != nil {
		c.say("⚠️ ", fmt.Sprintf("OpenClaw %s goes on: %v", c.programs.Version(), c.unfetched))
	}
	old, newer, err := c.earlier(ctx)
	if err != nil {
		return err
	}
	if !newer {
		return c.launch(ctx, d)
	}
	if err := before.Keep(); err != nil { // such as for want of room
		return c.backTo(ctx, d, old, err)
	}
	if err := c.programs.Take(ctx, c.folder()); err != nil {
		return c.backTo(ctx, d, old, err)
	}
	crashpoint.At("upgrade.taken")
	err = c.launch(ctx, d)
	if err == nil {
		return c.upgraded(old)
	}
	if ctx.Err() != nil {
		return err // the next start begins anew
	}
	return c.backTo(ctx, d, old, err)
}

// upgraded ends an upgrade that went well.
func (c *localClaw) upgraded(old programs.Programs) error {
	if err := c.before().Drop(); err != nil {
		return err
	}
	text := fmt.Sprintf("OpenClaw is %s now; its gateway answers.", c.programs.Version())
	if was := old.Version(); was != "" {
		text = fmt.Sprintf("OpenClaw is %s now (it was %s); its gateway answers. The old one lies in %s, and can be removed where no other data folder uses it.", c.programs.Version(), was, old.Dir())
	}
	c.say("✅ ", text)
	return nil
}

// backTo has the earlier release go on where the newer one did not come up.
func (c *localClaw) backTo(ctx context.Context, d *deployment, old programs.Programs, why error) error {
	c.log.WithError(why).Error("a newer OpenClaw did not come up")
	fresh := c.programs.Version()
	c.close()
	if before := c.before(); before.Kept() {
		if err := before.PutBack(); err != nil {
			return err
		}
	}
	if old.Version() == "" {
		return fmt.Errorf("%w; the earlier one is not installed any more", why)
	}
	if err := errors.Join(c.goOnWith(old), c.launch(ctx, d)); err != nil {
		return err
	}
	c.say("❌ ", fmt.Sprintf("OpenClaw %s was not taken: %s OpenClaw %s goes on as before; the next start tries again.", fresh, c.worded(why), old.Version()))
	return nil
}

// tellUpgrade tells of a newer Synapse.
func (h *homestead) tellUpgrade() {
	u := h.stack.Upgrade()
	if u == nil {
		return
	}
	doc := reply.Sayf("✅ The homeserver is Synapse %s now (it was %s); it answers.", u.To, u.From)
	var install stack.ErrInstall
	var kept aside.ErrNotKept
	switch {
	case errors.As(u.Err, &install):
		h.log.WithError(u.Err).Error("a newer Synapse could not be installed")
		doc = reply.Sayf("⚠️ Synapse %s goes on: %s could not be installed. The log in %s tells why; the next start tries again.", u.From, u.To, filepath.Join(h.data, "logs"))
	case errors.As(u.Err, &kept):
		h.log.WithError(u.Err).Error("a newer Synapse was not tried")
		doc = reply.Sayf("⚠️ Synapse %s goes on: for %s no copy of the database could be kept. See whether the disk has room; the log in %s tells more, and the next start tries again.", u.From, u.To, filepath.Join(h.data, "logs"))
	case u.Err != nil:
		h.log.WithError(u.Err).Error("a newer Synapse did not come up")
		doc = reply.Sayf("❌ Synapse %s was not taken, because it did not come up. Synapse %s goes on, with its database as it was; %s tells why, and the next start tries again.", u.To, u.From, filepath.Join(h.data, "logs", "synapse-console.log"))
	}
	h.screen.say("%s", doc.Text())
	h.pass(doc)
}

// pass hands something over to be told in the admin room. The terminal has it.
func (h *homestead) pass(doc reply.Doc) {
	select {
	case h.news <- doc:
	default:
	}
}
