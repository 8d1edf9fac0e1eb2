package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/openclaw"
)

// foreignClaw is an OpenClaw that somebody has set up on this machine before.
type foreignClaw struct {
	path     string
	settings *openclaw.Config
	agents   []string
	unread   error // why its agents are not known
	port     int   // of its gateway
}

// findClaw looks where OpenClaw keeps its configuration; false where there is
// none, or where it is the one in our own data folder.
func findClaw(data string) (f foreignClaw, ok bool) {
	path, err := openclaw.DefaultPath(os.Getenv)
	if err != nil {
		return f, false
	}
	if _, err := os.Stat(path); err != nil || within(path, data) {
		return f, false
	}
	f = foreignClaw{path: path, port: gatewayPort}
	if f.settings, f.unread = openclaw.LoadConfig(path); f.unread != nil {
		return f, true
	}
	agents, err := f.settings.Agents()
	f.unread = err
	for _, agent := range agents {
		f.agents = append(f.agents, agent.ID)
	}
	if port := f.settings.GatewayPort(); port != 0 {
		f.port = port
	}
	return f, true
}

// String says what is there.
func (f foreignClaw) String() string {
	switch {
	case f.unread != nil:
		return f.path + ", which cannot be read as it is"
	case len(f.agents) == 0:
		return f.path + ", without agents"
	}
	return fmt.Sprintf("%s, with the agents %s", f.path, strings.Join(f.agents, ", "))
}

// meetForeign decides what is done about an OpenClaw that is there already: the
// bot may look after it; else one of our own is brought, in the data folder, and
// that one is not touched.
func (o *upOptions) meetForeign(ctx context.Context, p *program, data string) (adopt bool, found foreignClaw, err error) {
	found, there := findClaw(data)
	if !there {
		if o.adopt {
			return false, found, failed("There is no OpenClaw to adopt: no configuration of one was found. Leave --adopt out, and I bring one.")
		}
		return false, found, nil
	}
	if !o.adopt && !o.mayAsk(p) {
		p.tell("OpenClaw is set up on this machine already (%s). I leave it alone and bring one of my own, in %s. --adopt has the bot look after that one instead.", found, filepath.Join(data, "openclaw"))
		return false, found, nil
	}
	if o.adopt {
		return true, found, found.adoptable()
	}
	p.tell("OpenClaw is set up on this machine already: %s.\nThe bot can look after it: I show first what I would change in it, and its gateway stays yours to run (port %d).\nElse I leave it alone and bring a second one, in %s.", found, found.port, filepath.Join(data, "openclaw"))
	typed, err := p.ask(ctx, "Shall the bot look after that one? [y/N] ")
	if err != nil || !strings.HasPrefix(strings.ToLower(typed), "y") {
		return false, found, err
	}
	return true, found, found.adoptable()
}

func (f foreignClaw) adoptable() error {
	if f.unread != nil {
		return failed("%s cannot be adopted: %v. Mend it first (fraktalia config validate %[1]s); nothing was changed.", f.path, f.unread)
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("look at OpenClaw's configuration: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return failed("%s belongs to another account (uid %d), whose OpenClaw could not read its password in my data folder. Start me as that account; nothing was changed.", f.path, stat.Uid)
	}
	return nil
}

// answering chooses the agent that answers in the chat room; "" where there is
// none yet.
func (f foreignClaw) answering(ctx context.Context, p *program, o *upOptions) (string, error) {
	if o.agent.said("agent") {
		if !slices.Contains(f.agents, o.agent.name) {
			return "", failed("--agent %s: there is no such agent in %s. Nothing was changed.", o.agent.name, f)
		}
		return o.agent.name, nil
	}
	switch {
	case len(f.agents) == 0:
		return "", nil
	case len(f.agents) == 1:
		return f.agents[0], nil
	case !o.mayAsk(p):
		return "", failed("Which agent shall answer in the chat room? There are %s; say --agent NAME. Nothing was changed.", strings.Join(f.agents, ", "))
	}
	for {
		typed, err := p.ask(ctx, fmt.Sprintf("Which of %s shall answer in the chat room? [%s] ", strings.Join(f.agents, ", "), f.agents[0]))
		if err != nil {
			return "", err
		}
		if typed == "" {
			return f.agents[0], nil
		}
		if slices.Contains(f.agents, typed) {
			return typed, nil
		}
	}
}

// adopting finds out whether an OpenClaw of somebody's is looked after here, or
// shall be.
func (h *homestead) adopting(ctx context.Context, p *program, known config.Config) (bool, error) {
	server := h.options.serverName
	if server == "" {
		server = known.Homeserver.ServerName
	}
	earlier, err := knownAdoption(h.data, server)
	if err != nil {
		return false, err
	}
	if earlier != nil && (earlier.Done || earlier.Approved != "") {
		if h.options.adopt && earlier.Done {
			p.tell("The bot looks after the OpenClaw in %s already; !bind says which agent answers where.", earlier.Path)
		}
		h.adopted, h.inRooms = earlier, make(chan struct{})
		return true, nil
	}
	if _, own, err := knownWish(h.data); err != nil || own {
		if err == nil && h.options.adopt {
			err = failed("This data folder has an OpenClaw of its own, in %s, and cannot adopt another. Leave --adopt out, or choose another folder with --data. Nothing was changed.", filepath.Join(h.data, "openclaw"))
		}
		return false, err
	}
	if !h.options.withOpenClaw {
		return false, nil
	}
	adopt, found, err := h.options.meetForeign(ctx, p, h.data)
	if !adopt || err != nil {
		return false, err
	}
	if err := h.propose(ctx, p, found, server); err != nil {
		return false, err
	}
	return true, h.options.settleTailscale(ctx, p)
}
