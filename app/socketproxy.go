package app

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/socketproxy"
)

const (
	// proxySocket is where the unit's proxy listens, in a folder of its own.
	proxySocket = "/run/fraktalia-docker/docker.sock"
	// engineSocket is the engine's usual one.
	engineSocket = "/var/run/docker.sock"
)

// socketProxyCommand stands between the bot and Docker's socket. It takes its
// limits from its command line, which root writes, and not from the
// configuration, which the bot's user may write.
func (p *program) socketProxyCommand() *cobra.Command {
	defaults := config.Default()
	o := socketproxy.Options{Images: []string{defaults.Sandbox.Image}, Bases: []string{defaults.Sandbox.Base}}
	cmd := &cobra.Command{
		Use:   "socket-proxy",
		Short: "lets through to Docker's socket what the bot needs, and nothing else",
		Long: "Listens on a Unix socket, and passes on to the Docker engine what the bot needs of it; all else is refused, and told in one line. " +
			"fraktalia install has systemd run it. docs/security.md lists what it lets through, and what that still gives away.",
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Log = streamLog(p.stderr).WithField("part", "socket-proxy")
			o.Engine = strings.TrimPrefix(o.Engine, "unix://")
			return p.serveProxy(cmd, o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.Listen, "listen", proxySocket, "the `path` of the socket to be made")
	flags.StringVar(&o.Group, "group", "", "the `group` that may use it (default the process's own)")
	flags.StringVar(&o.Engine, "engine", engineSocket, "the `path` of the Docker engine's socket")
	flags.StringArrayVar(&o.Images, "image", o.Images, "the sandbox image's `name`; may be given more than once")
	flags.StringArrayVar(&o.Bases, "base", o.Bases, "the `name` of an image that it is made from")
	flags.StringVar(&o.Network, "network", defaults.Firewall.Network, "the `network` of isolated sandboxes")
	flags.BoolVar(&o.Verbose, "verbose", false, "log what is let through, too")
	return cmd
}

func (p *program) serveProxy(cmd *cobra.Command, o socketproxy.Options) error {
	o.Made = []string{proberImage}
	for _, base := range o.Bases {
		if name := sandbox.Substitute(base); name != "" {
			o.Made = append(o.Made, name)
		}
	}
	proxy, err := socketproxy.New(o)
	var name *socketproxy.NameError
	if errors.As(err, &name) {
		return usage("%q is no image's name and tag, such as %s.", name.Name, config.Default().Sandbox.Image)
	}
	if err != nil {
		return err
	}
	if err := proxy.Listen(); err != nil {
		return failed("The socket %s cannot be made: %v.", o.Listen, err)
	}
	if _, err := os.Stat(o.Engine); err != nil {
		o.Log.WithError(err).Warn("the Docker engine is not there yet")
	}
	o.Log.Infof("ready: listening at %s", o.Listen)
	if err := notify("READY=1"); err != nil {
		o.Log.WithError(err).Warn("systemd could not be told")
	}
	return proxy.Run(cmd.Context())
}
