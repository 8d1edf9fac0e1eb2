package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/openclaw/programs"
	"github.com/githabideri/fraktalia/stack"
)

// wantClaw finds out whether OpenClaw is to run here, and asks what is not known
// yet. Nothing is made before all answers are good.
func (h *homestead) wantClaw(ctx context.Context, p *program, screen *screen) error {
	known, err := config.Load(h.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return failed("%v", err)
	}
	adopting, err := h.adopting(ctx, p, known)
	if adopting || err != nil {
		return err
	}
	if !h.options.withOpenClaw && !known.OpenClaw.Run {
		return nil
	}
	wish, settled, err := knownWish(h.data)
	if err != nil {
		return err
	}
	claw := &localClaw{data: h.data, file: h.file, log: h.log.WithField("part", "openclaw"), screen: screen, news: h.news, wish: wish, whole: settled && known.OpenClaw.Run}
	if settled {
		err = claw.wantPort(&h.options.agent)
	} else {
		if err = h.checkPorts(ctx); err == nil {
			err = claw.wanted(ctx, p, &h.options)
		}
	}
	if err != nil {
		return err
	}
	claw.firewall = !h.options.agent.noFirewall
	h.claw, h.inRooms = claw, make(chan struct{})
	return nil
}

// wanted asks what a new one needs to know.
func (c *localClaw) wanted(ctx context.Context, p *program, o *upOptions) (err error) {
	if c.wish, c.key, err = o.agent.settle(ctx, p, o.mayAsk(p)); err != nil {
		return err
	}
	c.wish.DoctorDue = true
	return o.settleTailscale(ctx, p)
}

// checkPorts looks whether both servers can listen, before anything is made.
func (h *homestead) checkPorts(ctx context.Context) error {
	if _, made := stack.KnownServerName(h.data); !made { // else it may be its own that runs there
		if err := stack.CheckListen(ctx, h.options.listen); err != nil {
			return h.stopped(err)
		}
	}
	return portTaken(stack.CheckPort("127.0.0.1", h.options.agent.port))
}

// portTaken words who has the port of OpenClaw's gateway.
func portTaken(err error) error {
	var port stack.ErrPortInUse
	if !errors.As(err, &port) {
		return err
	}
	return failed("Port %d, for OpenClaw's gateway, is taken by %s. Stop that program, or choose another port with --gateway-port. Nothing was changed.", port.Port, port.Holder)
}

// agentID is the account of the agent that runs here; "" for none.
func (h *homestead) agentID() string {
	if h.adopted != nil && h.adopted.Done && h.adopted.Agent != "" {
		return h.adopted.userID()
	}
	if h.claw == nil {
		return ""
	}
	return h.claw.agentID(h.stack.ServerName())
}

// fetchClaw begins to bring OpenClaw's programs. The context ends when that
// fails, or is stopped; fetched waits for the end.
func (h *homestead) fetchClaw(ctx context.Context) (during context.Context, stop func(), fetched func() error) {
	if h.claw == nil {
		return ctx, func() {}, func() error { return nil }
	}
	during, stop = context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		err := h.claw.fetch(during)
		if err != nil {
			stop()
		}
		done <- err
	}()
	return during, stop, func() error { return <-done }
}

// present announces that all is there, or leaves that to the agent's coming.
func (h *homestead) present(announce func()) {
	if h.claw == nil && h.adopted == nil {
		announce()
		return
	}
	close(h.inRooms)
}

func (h *homestead) runClaw(ctx context.Context, d *deployment, announce func()) error {
	if h.adopted != nil {
		return h.runAdoption(ctx, d, announce)
	}
	if h.claw == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-h.inRooms:
	}
	return h.claw.run(ctx, d, announce)
}

// fetchProblem words why OpenClaw's programs could not be brought into a folder.
func (c *localClaw) fetchProblem(err error, folder string) error {
	var none programs.ErrNoNPM
	var install programs.ErrInstall
	var file *fs.PathError
	switch {
	case errors.As(err, &none):
		return failed("OpenClaw comes from npm, which was not found. Install it (apt-get install npm), and say this again.")
	case errors.As(err, &install):
		return failed("OpenClaw could not be fetched from npm: %s. Look at the machine's network and disk, and say this again; what is there is used again.", npmReason(install.Tail))
	case errors.As(err, &file):
		return failed("OpenClaw %s could not be put into %s: %v. See whether the disk has room, and whether I may write there (a unit of systemd's may after another sudo fraktalia install), and start me again.",
			programs.OpenClawVersion, folder, file.Err)
	}
	return failed("OpenClaw %s could not be put into %s. The log in %s tells why; start me again when that is mended.", programs.OpenClawVersion, folder, filepath.Join(c.data, "logs"))
}

// npmReason is the one line of npm's last words that says what went wrong: it ends
// with advice, and with where its log is.
func npmReason(tail []string) (reason string) {
	for _, line := range tail {
		line = strings.TrimSpace(line)
		for _, sign := range []string{"npm error", "npm ERR!"} {
			line = strings.TrimSpace(strings.TrimPrefix(line, sign))
		}
		switch {
		case strings.Contains(line, "reason: "):
			return strings.TrimPrefix(line, "network ")
		case line != "" && !strings.Contains(line, "complete log of this run"):
			reason = strings.TrimSuffix(line, ".")
		}
	}
	return reason
}
