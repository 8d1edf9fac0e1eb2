package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
)

// foreignClaw is an OpenClaw that somebody has set up on this machine before.
type foreignClaw struct {
	path   string
	agents []string
	unread error // why its agents are not known
	port   int   // of its gateway
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
	settings, err := openclaw.LoadConfig(path)
	if err != nil {
		f.unread = err
		return f, true
	}
	agents, err := settings.Agents()
	f.unread = err
	for _, agent := range agents {
		f.agents = append(f.agents, agent.ID)
	}
	if node, err := settings.Get(json5.Path{json5.Key("gateway"), json5.Key("port")}); err == nil {
		if port, err := strconv.Atoi(node.Value().Text); err == nil {
			f.port = port
		}
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

// meetForeign decides what is done about an OpenClaw that is there already: it
// is never touched. The bot may look after it; else one of our own is brought,
// in the data folder.
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
	if o.adopt || o.yes {
		return o.adopt, found, found.adoptable()
	}
	p.tell("OpenClaw is set up on this machine already: %s.\nThe bot can look after it: nothing in it is changed now, its gateway stays yours to run (port %d), and !addagent and !bind show each change before they make it.\nElse I leave it alone and bring a second one, in %s.", found, found.port, filepath.Join(data, "openclaw"))
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
	return nil
}

// adoptClaw has the bot look after another OpenClaw from now on.
func (h *homestead) adoptClaw(f foreignClaw) error {
	return config.Change(h.file, func(c *config.Config) {
		c.OpenClaw.Config, c.OpenClaw.Gateway = f.path, fmt.Sprintf("http://127.0.0.1:%d", f.port)
	})
}
