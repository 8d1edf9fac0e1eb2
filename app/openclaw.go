package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/bot"
	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/secretfile"
)

const (
	// askLimit bounds one question to the engine.
	askLimit = 2 * time.Second
	// gatewayLimit bounds one question to the gateway. It is one thread, which
	// was seen to be busy for seconds while its agents work; one that does not
	// run refuses at once.
	gatewayLimit = 8 * time.Second
	// applyLimit is how long the gateway has to apply a change.
	applyLimit = 30 * time.Second
	// guardInterval is the time between two looks at OpenClaw's configuration.
	guardInterval = time.Second
)

// agents is OpenClaw's configuration, its gateway, and what runs for it. It
// implements command.Agents.
type agents struct {
	path    string
	checker *openclaw.Checker
	gateway *openclaw.Gateway
	// noGateway says why there is none to ask.
	noGateway error
	guard     *openclaw.Guard
	engines   *engines
	log       *logrus.Entry
	*bot.Bot
}

func newAgents(c config.Config, engines *engines, bot *bot.Bot, notify func(context.Context, openclaw.Event), log *logrus.Entry) *agents {
	a := &agents{path: c.OpenClaw.Config, engines: engines, log: log, Bot: bot, checker: newChecker(filepath.Join(c.Data, "cache"), log)}
	a.guard = openclaw.NewGuard(a.path, guardInterval, notify, log)
	a.gateway, a.noGateway = openclaw.NewGateway(strings.TrimSuffix(c.OpenClaw.Gateway, "/"), gatewayToken(c.OpenClaw), &http.Client{Timeout: gatewayLimit})
	return a
}

// newChecker makes a checker by the openclaw program that a shell would find.
func newChecker(cache string, log *logrus.Entry) *openclaw.Checker {
	find := func() (string, error) { return exec.LookPath("openclaw") }
	return openclaw.NewChecker(filepath.Join(cache, "openclaw-schema"), find, log)
}

// gatewayToken reads the gateway's token from the file that is named, else from
// OpenClaw's own configuration, at each use.
func gatewayToken(c config.OpenClaw) func() (string, error) {
	return func() (string, error) {
		if c.GatewayTokenFile != "" {
			return secretfile.Read(c.GatewayTokenFile)
		}
		if token := os.Getenv("OPENCLAW_GATEWAY_TOKEN"); token != "" {
			return token, nil
		}
		settings, err := openclaw.LoadConfig(c.Config)
		if err != nil {
			return "", err
		}
		node, err := settings.Get(json5.Path{json5.Key("gateway"), json5.Key("auth"), json5.Key("token")})
		if err != nil {
			return "", nil // the gateway says itself that it wants one
		}
		token, _ := node.Text()
		if name, ok := strings.CutPrefix(token, "${"); ok {
			token = os.Getenv(strings.TrimSuffix(name, "}"))
		}
		return token, nil
	}
}

// Load implements command.Agents.
func (a *agents) Load() (*openclaw.Config, error) { return openclaw.LoadConfig(a.path) }

// Value implements command.Agents.
func (a *agents) Value(path json5.Path, typed string) (json5.Value, error) {
	if schema, known := a.checker.Schema(); known {
		return schema.ValueFor(path, typed)
	}
	return json5.ParseValue(typed), nil
}

// Check implements command.Agents.
func (a *agents) Check(ctx context.Context, plan *openclaw.Plan) (openclaw.Report, error) {
	return a.checker.CheckChange(ctx, plan.Before(), plan.After())
}

// Commit implements command.Agents.
func (a *agents) Commit(ctx context.Context, plan *openclaw.Plan, written command.Written) (openclaw.Outcome, error) {
	return a.write(ctx, written, func() ([]openclaw.Change, error) {
		a.guard.Own(plan.Changes())
		return plan.Commit(context.WithoutCancel(ctx))
	})
}

// write asks the gateway how it stands, writes, tells that it is written, and
// follows what the gateway does with it.
func (a *agents) write(ctx context.Context, written command.Written, do func() ([]openclaw.Change, error)) (openclaw.Outcome, error) {
	var before openclaw.State
	asked := a.noGateway
	if asked == nil {
		before, asked = a.gateway.State(ctx)
	}
	if asked == nil && !a.runsWith(before.Path) {
		asked = &command.OtherFile{Path: before.Path}
	}
	changes, err := do()
	if err != nil {
		return openclaw.Outcome{}, err
	}
	a.guard.Own(changes)
	written(changes, asked == nil)
	if beginsToTell(asked, changes) {
		asked = a.awaitTelling(ctx)
	}
	if asked != nil {
		a.log.WithError(asked).Info("the gateway was not asked whether it applied a change")
		return openclaw.Outcome{Changes: changes, Verdict: openclaw.Unknown, Err: asked}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	outcome, err := a.gateway.Follow(ctx, before, asked, changes)
	a.guard.Own(outcome.PutBack)
	return outcome, err
}

// beginsToTell says whether a gateway that could not be asked has the plugin for
// that from now on.
func beginsToTell(asked error, changes []openclaw.Change) bool {
	var refused *openclaw.GatewayStatusError
	if !errors.As(asked, &refused) || refused.Status != http.StatusNotFound {
		return false
	}
	return slices.ContainsFunc(changes, func(c openclaw.Change) bool {
		return bytes.Count(c.After, []byte("admin-http-rpc")) > bytes.Count(c.Before, []byte("admin-http-rpc"))
	})
}

// awaitTelling waits until the gateway has started with its new plugin.
func (a *agents) awaitTelling(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	for {
		_, err := a.gateway.State(ctx)
		var refused *openclaw.GatewayStatusError
		var down *openclaw.GatewayDownError
		waits := errors.As(err, &refused) && refused.Status == http.StatusNotFound || errors.As(err, &down)
		if !waits {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(askAgain):
		}
	}
}

// runsWith says whether a gateway that runs with a file runs with ours.
func (a *agents) runsWith(path string) bool {
	theirs, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path == "" // a version that does not tell
	}
	ours, err := filepath.EvalSymlinks(a.path)
	return err == nil && theirs == ours
}

// Tombstoned implements command.Agents.
func (a *agents) Tombstoned(ctx context.Context, id string) (bool, error) {
	return openclaw.Tombstoned(ctx, a.path, id)
}

// Sandboxes implements command.Agents.
func (a *agents) Sandboxes(ctx context.Context) ([]command.AgentSandbox, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	containers, err := a.engines.Containers(ctx)
	if err != nil {
		return nil, err
	}
	current := map[string]string{}
	list := make([]command.AgentSandbox, len(containers))
	for i, c := range containers {
		name := c.Host + " " + c.Image
		if _, looked := current[name]; !looked {
			image, err := a.engines.holding(c.ID).ImageInfo(ctx, c.Image)
			if err != nil {
				return nil, err
			}
			current[name] = image.ID
		}
		tagged := current[name]
		list[i] = command.AgentSandbox{Agent: c.Agent, Name: c.Name, Networks: c.Networks, Running: c.Running(), Stale: tagged != "" && tagged != c.ImageID}
	}
	return list, nil
}

// RemoveSandboxes implements command.Agents.
func (a *agents) RemoveSandboxes(ctx context.Context, agent string) (removed int, err error) {
	containers, err := a.engines.Containers(ctx)
	if err != nil {
		return 0, err
	}
	for _, c := range containers {
		if c.Agent != agent {
			continue
		}
		if err := a.engines.holding(c.ID).RemoveContainer(ctx, c.ID); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// AsideOf implements command.Agents. A workspace that holds anything beside this
// agent's own files is kept.
func (a *agents) AsideOf(agent openclaw.Agent, rest []openclaw.Agent) (path, aside string, err error) {
	home := filepath.Dir(a.path)
	if !filepath.IsAbs(workspaceOf(agent, home)) {
		return "", "", &command.WorkspaceKept{Reason: workspaceOf(agent, home) + " is no absolute path, so I do not know where it is"}
	}
	path, err = filepath.EvalSymlinks(workspaceOf(agent, home))
	if errors.Is(err, os.ErrNotExist) {
		return "", "", &command.WorkspaceKept{Reason: "there is none at " + workspaceOf(agent, home)}
	}
	if err != nil {
		return "", "", fmt.Errorf("find the workspace of %s: %w", agent.ID, err)
	}
	for _, keep := range a.held(rest) {
		if real, err := filepath.EvalSymlinks(keep); err == nil {
			keep = real
		}
		if within(keep, path) {
			return "", "", &command.WorkspaceKept{Reason: path + " also holds " + keep}
		}
	}
	return path, path + removedMark + time.Now().UTC().Format(asideForm), nil
}

// What was moved aside has this behind its name, and when.
const (
	removedMark = ".removed-"
	asideForm   = "20060102-150405"
)

// held lists the folders that no workspace may contain if it is to be deleted.
func (a *agents) held(rest []openclaw.Agent) []string {
	home := filepath.Dir(a.path)
	held := []string{home, a.path}
	if user, err := os.UserHomeDir(); err == nil {
		held = append(held, user)
	}
	for _, other := range rest {
		held = append(held, workspaceOf(other, home))
	}
	if settings, err := a.Load(); err == nil {
		everybody := json5.Path{json5.Key("agents"), json5.Key("defaults")}
		if node, err := settings.Get(everybody); err == nil {
			if shared := (openclaw.Agent{Value: node.Value()}); shared.Text("workspace") != "" {
				held = append(held, workspaceOf(shared, home))
			}
		}
	}
	return held
}

// workspaceOf is where an agent's files are: where its entry says, else where
// OpenClaw puts them by default.
func workspaceOf(agent openclaw.Agent, home string) string {
	path := agent.Text("workspace")
	switch {
	case path == "":
		return filepath.Join(home, "workspace-"+agent.ID)
	case strings.HasPrefix(path, "~/"):
		if user, err := os.UserHomeDir(); err == nil {
			return filepath.Join(user, path[2:])
		}
	}
	return path
}

// within says whether path is folder or lies in it.
func within(path, folder string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, "../")
}
