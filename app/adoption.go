package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/stack"
	"github.com/githabideri/fraktalia/store"
)

// adoption is an OpenClaw of somebody's that the bot looks after, and how far
// that has come. Its configuration is changed last, when all else is there, and
// only by what its owner has seen and said yes to.
type adoption struct {
	Path  string `json:"path"`
	Port  int    `json:"gateway_port"`
	Agent string `json:"agent"`   // who answers in the chat room; "" for none yet
	User  string `json:"account"` // the local part of its account
	// Approved stands for the change that was said yes to; "" for none.
	Approved string `json:"approved"`
	// Done says that the change has been made.
	Done bool `json:"done"`

	data, server string
}

// unknownRoom stands for the chat room's id where it is shown before the room is
// made. It is as long as one, so that the lines are broken in the same places.
const unknownRoom = "!id-of-the-chat-room-once-that-has-been-made"

func adoptionFile(data string) string { return filepath.Join(data, "openclaw", "adoption.json") }

// knownAdoption is that of an earlier start; nil for none.
func knownAdoption(data, server string) (*adoption, error) {
	text, err := os.ReadFile(adoptionFile(data))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	a := &adoption{data: data, server: server}
	if err == nil {
		err = json.Unmarshal(text, a)
	}
	if err != nil {
		return nil, fmt.Errorf("read what was adopted: %w", err)
	}
	return a, nil
}

func (a *adoption) keep() error {
	if err := os.MkdirAll(filepath.Dir(adoptionFile(a.data)), 0o700); err != nil {
		return fmt.Errorf("make the folder of what was adopted: %w", err)
	}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(adoptionFile(a.data), append(text, '\n')); err != nil {
		return fmt.Errorf("write down what was adopted: %w", err)
	}
	return nil
}

func (a *adoption) userID() string { return "@" + a.User + ":" + a.server }

func (a *adoption) passwordFile() string {
	return filepath.Join(a.data, "secrets", "agent-"+a.User)
}

func (a *adoption) edit(address, room string) openclaw.EditFunc {
	return openclaw.Adopt(openclaw.Adoption{Agent: a.Agent, Room: room, Homeserver: address, User: a.userID(), PasswordFile: a.passwordFile()})
}

// seal stands for what was said yes to: a change of a configuration that is to
// the byte what was shown.
func (a *adoption) seal(settings *openclaw.Config) string {
	hash := sha256.New()
	for _, part := range append(settings.Contents(), []byte(a.Agent), []byte(a.userID())) {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// propose shows what adopting an OpenClaw would make and change, and asks. Nothing
// is made or changed before, and nothing after a no.
func (h *homestead) propose(ctx context.Context, p *program, found foreignClaw, server string) error {
	agent, err := found.answering(ctx, p, &h.options)
	if err != nil {
		return err
	}
	a := &adoption{Path: found.path, Port: found.port, Agent: agent, User: accountFor(agent, h.options.owner), data: h.data, server: server}
	if err := homeserver.ValidLocalpart(a.User, ""); err != nil {
		return failed("The agent %s cannot have an account of that name. Rename it first, or choose another with --agent. Nothing was changed.", agent)
	}
	address := stack.AddressOf(h.options.listen)
	plan, err := found.settings.Plan(a.edit(address, unknownRoom))
	if err != nil {
		return failed("%s cannot be adopted: %v. Nothing was changed.", found.path, err)
	}
	checker := newChecker(filepath.Join(h.data, "cache"), h.log)
	if version, err := checker.Version(); err == nil && openclaw.Deaf(version) {
		return failed("OpenClaw here is %s, and its agents would hear nothing: before %s it does not know the ids that rooms have now. Bring it up to date first (openclaw update). Nothing was changed.", version, openclaw.FirstHearing)
	}
	_, err = checker.CheckQuickly(ctx, plan.Before(), plan.After())
	var invalid *openclaw.InvalidError
	if errors.As(err, &invalid) {
		return failed("%s cannot be adopted: %v. Nothing was changed.", found.path, invalid)
	}
	if err != nil {
		return fmt.Errorf("check the change of OpenClaw's configuration: %w", err)
	}
	p.tell("%s", a.preview(plan, h.options.owner))
	if err := h.options.agree(ctx, p); err != nil {
		return err
	}
	a.Approved = a.seal(found.settings)
	h.adopted, h.inRooms = a, make(chan struct{})
	return nil
}

// accountFor is the local part of an agent's account: its name, where that is
// nobody else's.
func accountFor(agent, owner string) string {
	switch agent {
	case "":
		return defaultAgent
	case owner, botName:
		return agent + "-agent"
	}
	return agent
}

// preview says all that would be made and changed.
func (a *adoption) preview(plan *openclaw.Plan, owner string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\nTo look after the OpenClaw in %s I would make, in %s and on the homeserver there:\n", a.Path, a.data)
	if _, ok := stack.KnownServerName(a.data); !ok {
		fmt.Fprintf(&text, "  - that homeserver, with the accounts @%s:%s and @%s:%[2]s and the encrypted rooms \"Fraktalia\" and \"Friends\"\n", owner, a.server, botName)
	}
	fmt.Fprintf(&text, "  - the account %s, whose password is kept in %s\n", a.userID(), a.passwordFile())
	if a.Agent == "" {
		text.WriteString("  - no agent, since there is none: !addagent makes one\n")
	} else {
		fmt.Fprintf(&text, "  - %s's place in the encrypted room \"Friends\", with the role agent: it may ask there, and owners decide\n", a.Agent)
	}
	text.WriteString("  - no container and no network: sandboxes stay as they are, and !isolation on puts one behind the firewall\n")
	if diff := plan.Diff(); diff != "" {
		fmt.Fprintf(&text, "\nand change this in it, and no other byte (the file as it was stays beside it):\n\n%s", reply.Doc{reply.Code{Text: diff}}.Text())
	} else {
		text.WriteString("\nand change nothing in it: all is there already.\n")
	}
	fmt.Fprintf(&text, "\n\nIts gateway (port %d) stays yours to run. Should the homeserver come to listen elsewhere, its address in there follows, and you are told.", a.Port)
	return text.String()
}

// agree asks for the yes, or takes that of --yes.
func (o *upOptions) agree(ctx context.Context, p *program) error {
	if o.yes {
		return nil
	}
	if !p.interactive() {
		return failed("Nothing was changed. Say it again with --yes, and I do that.")
	}
	typed, err := p.ask(ctx, "Shall I do that? [y/N] ")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.ToLower(typed), "y") {
		return failed("Not done; nothing was changed.")
	}
	return nil
}

// prepareAdoption makes the account, and has the bot look after that OpenClaw
// from now on. Its configuration is not touched yet.
func (h *homestead) prepareAdoption(ctx context.Context) error {
	a := h.adopted
	if a.Done {
		return nil
	}
	accounts, err := h.accounts()
	if err != nil {
		return err
	}
	if err := makeAgentAccount(ctx, accounts, a.User, a.passwordFile()); err != nil {
		return err
	}
	if err := a.keep(); err != nil {
		return err
	}
	return config.Change(h.file, func(c *config.Config) {
		c.OpenClaw.Config, c.OpenClaw.Gateway = a.Path, fmt.Sprintf("http://127.0.0.1:%d", a.Port)
	})
}

// runAdoption brings the agent into the chat room, or follows the homeserver
// where that has been done. What fails is told; the bot goes on without.
func (h *homestead) runAdoption(ctx context.Context, d *deployment, announce func()) error {
	select {
	case <-ctx.Done():
		return nil
	case <-h.inRooms:
	}
	defer announce()
	seen := !h.adopted.Done // the difference, before the yes
	doc, err := h.adopted.bring(ctx, d)
	if ctx.Err() != nil {
		return nil
	}
	var problem *command.Problem
	switch {
	case errors.As(err, &problem):
		doc = append(reply.Say("❌ OpenClaw was not adopted: ", problem.Sentence, " fraktalia up --adopt shows it anew."), problem.Detail...)
	case err != nil:
		h.log.WithError(err).Error("OpenClaw was not adopted")
		doc = reply.Sayf("❌ OpenClaw was not adopted; the log in %s tells why. fraktalia up --adopt tries again.", filepath.Join(h.data, "logs"))
	}
	if len(doc) > 0 {
		h.screen.say("%s", slices.DeleteFunc(slices.Clone(doc), func(b reply.Block) bool { _, code := b.(reply.Code); return code && seen }).Text())
		h.pass(doc)
	}
	return nil
}

// bring makes the agent's role and invitation, and the change that was said yes
// to.
func (a *adoption) bring(ctx context.Context, d *deployment) (reply.Doc, error) {
	if a.Done {
		return a.follow(ctx, d)
	}
	room, address := d.bot.ChatRoomID(), d.config.Homeserver.Address
	if a.Agent != "" {
		role := store.Role{UserID: a.userID(), Role: "agent", Agent: a.Agent, GivenBy: d.config.Owners[0], GivenAt: time.Now()}
		if err := d.store.SaveRole(ctx, role); err != nil {
			return nil, err
		}
		if err := d.bot.Invite(ctx, room, a.userID()); err != nil {
			return nil, fmt.Errorf("invite the agent: %w", err)
		}
	}
	if err := a.stillAgreed(d, address, room); err != nil {
		return nil, errors.Join(err, a.forget())
	}
	crashpoint.At("adopt.agreed")
	answer, err := d.commands.EditConfig(ctx, command.ConfigEdit{What: "up --adopt", Owner: d.config.Owners[0], Edit: a.edit(address, room)}, silence{})
	if err != nil {
		var problem *command.Problem
		if errors.As(err, &problem) {
			err = errors.Join(err, a.forget())
		}
		return nil, err
	}
	crashpoint.At("adopt.written")
	a.Done = true
	if err := a.keep(); err != nil {
		return nil, err
	}
	return append(reply.Say("I look after the OpenClaw in ", reply.Mono("%s", a.Path), " from now on."), answer.Doc...), nil
}

// forget has the next start ask again.
func (a *adoption) forget() error {
	a.Approved = ""
	return a.keep()
}

// stillAgreed holds the change as it would be made now against the one that was
// said yes to. One that was made by a start that was killed is no change any more.
func (a *adoption) stillAgreed(d *deployment, address, room string) error {
	settings, err := d.agents.Load()
	if err != nil {
		return &command.Problem{Sentence: fmt.Sprintf("%s cannot be read any more: %v.", a.Path, err)}
	}
	plan, err := settings.Plan(a.edit(address, room))
	if err != nil {
		return &command.Problem{Sentence: fmt.Sprintf("%s has been changed since: %v.", a.Path, err)}
	}
	if plan.Diff() != "" && a.seal(settings) != a.Approved {
		return &command.Problem{Sentence: a.Path + " has been changed since it was shown to you, so I have left it as it is."}
	}
	return nil
}
