package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/openclaw/json5"
)

// openclawHealth reads OpenClaw's configuration as OpenClaw would.
func (d *deployment) openclawHealth(ctx context.Context) command.Finding {
	path := d.config.OpenClaw.Config
	settings, err := openclaw.LoadConfig(path)
	if err != nil {
		return brokenConfig(path, err)
	}
	roster, err := settings.Agents()
	if err != nil {
		return notWell("move all agents into one of them by hand", "%s has both agents.list and agents.entries", path)
	}
	report, err := d.agents.checker.Check(ctx, settings)
	switch {
	case err != nil:
		d.log.WithError(err).Info("status: OpenClaw's configuration")
	case len(report.Issues) > 0:
		return notWell("mend it before the gateway starts again: it would not", "%s: %s", path, report.Issues[0])
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return unsure("chmod 600 "+path, "%s can be read by other users of this machine", path)
	}
	if aside := openclaw.Aside(path); len(aside) > 0 {
		return unsure("see what was lost, then remove that file", "%s, %s; OpenClaw once laid a newer one aside in %s", path, rosterText(settings, roster), aside[0])
	}
	if len(report.Doubts) > 0 {
		return unsure("!bind sets all that a room needs", "%s, %s; %s", path, rosterText(settings, roster), report.Doubts[0])
	}
	return well("%s, %s", path, rosterText(settings, roster))
}

func rosterText(settings *openclaw.Config, roster []openclaw.Agent) string {
	text := counted(len(roster), "agent")
	if shape, err := settings.Shape(); err == nil && shape == openclaw.ListRoster {
		text += " in the old shape (agents.list)"
	}
	return text + ", " + counted(len(settings.Bindings()), "binding")
}

// brokenConfig tells why the configuration cannot be read.
func brokenConfig(path string, err error) command.Finding {
	var syntax *json5.SyntaxError
	var include *openclaw.IncludeError
	var file *openclaw.FileError
	if errors.As(err, &file) {
		path = file.Path
	}
	switch {
	case errors.As(err, &syntax):
		return notWell("mend it before the gateway starts again: it would not", "%s is broken at line %d, column %d: %s", path, syntax.Line, syntax.Column, syntax.Reason)
	case errors.As(err, &include):
		return notWell("mend its $include", "the included file %s %s", include.Path, include.Reason)
	case errors.Is(err, os.ErrNotExist):
		return unsure("install OpenClaw, or name its file in openclaw.config", "%s is not there", path)
	}
	return notWell("let this user read it", "%s cannot be read", path)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
