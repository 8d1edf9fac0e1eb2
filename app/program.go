package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	openclawshell "github.com/githabideri/fraktalia/openclaw/shell"
	"github.com/githabideri/fraktalia/shell"
	"github.com/githabideri/fraktalia/store"
)

// program is one run of the executable.
type program struct {
	version        string
	stdin          io.Reader
	typed          *bufio.Reader
	stdout, stderr io.Writer
	socket         string
}

// Main runs the program with args and returns its exit status: 0 is well, 1
// failed, 2 a mistake in the command line.
func Main(ctx context.Context, version string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	p := &program{version: version, stdin: stdin, typed: bufio.NewReader(stdin), stdout: stdout, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	return p.status(root.ExecuteContext(ctx))
}

// exitError ends the program with a text for people and a status.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

func failed(format string, args ...any) error {
	return &exitError{code: 1, text: fmt.Sprintf(format, args...)}
}

func usage(format string, args ...any) error {
	return &exitError{code: 2, text: fmt.Sprintf(format, args...)}
}

// status tells an error to the person and picks the exit status.
func (p *program) status(err error) int {
	var exit *exitError
	var said *shell.Failed
	var problem *command.Problem
	var config *openclawshell.ExitError
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return 0
	case errors.Is(err, shell.ErrUnwell):
		return 1
	case errors.As(err, &exit):
		fmt.Fprintln(p.stderr, exit.text)
		return exit.code
	case errors.As(err, &config):
		fmt.Fprintln(p.stderr, config)
		return config.Status
	case errors.As(err, &said):
		fmt.Fprintln(p.stderr, said.Sentence)
		return 1
	case errors.As(err, &problem):
		fmt.Fprintln(p.stderr, problem.Sentence)
		return 2
	case errors.Is(err, store.ErrTooNew):
		fmt.Fprintln(p.stderr, "The database was written by a newer fraktalia. Run that one, or put back the copy from before the upgrade.")
		return 1
	}
	fmt.Fprintf(p.stderr, "fraktalia: %v\n", err)
	return 1
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:                        "fraktalia",
		Short:                      "Fraktalia looks after a private Matrix homeserver and its agent's sandbox",
		Version:                    p.version,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args:                       unknownCommand,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%s", err) })
	root.PersistentFlags().StringVar(&p.socket, "socket", defaultSocket(), "the `path` of the running program's socket (or FRAKTALIA_SOCKET)")
	root.AddGroup(&cobra.Group{ID: "here", Title: "On this machine:"}, &cobra.Group{ID: "live", Title: "To the running program, as in the room:"})
	for _, cmd := range []*cobra.Command{p.upCommand(), p.runCommand(), p.initCommand(), p.restoreCommand(), p.configCommand(), p.firewallCommand(), p.socketProxyCommand(), p.installCommand(), p.uninstallCommand()} {
		cmd.GroupID = "here"
		root.AddCommand(cmd)
	}
	root.AddCommand(p.probeCommand())
	for _, cmd := range command.Relayed(p.relay) {
		if cmd.Name() == "config" {
			continue // is a part of the one above
		}
		if cmd.Name() == "doctor" {
			p.doctorHere(cmd)
		}
		cmd.GroupID = "live"
		root.AddCommand(cmd)
	}
	return root
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("There is no command %q.", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf(" Did you mean %s?", strings.Join(near, " or "))
	} else {
		text += " fraktalia --help lists what there is."
	}
	return usage("%s", text)
}

// noWords is for commands that take flags only.
func noWords(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%q is one word too many; %s --help shows its flags.", args[0], cmd.CommandPath())
	}
	return nil
}

func (p *program) upCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "brings up a homeserver on this machine, and the bot in its admin room",
		Args:  noWords,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.up(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.data, "data", defaultData(), "the `folder` of everything that is kept")
	flags.StringVar(&o.listen, "listen", "", "`HOST:PORT` of the homeserver (default "+defaultListen+")")
	flags.StringVar(&o.serverName, "server-name", "", "the `name` that accounts carry for ever (default the tailnet's or the host's name)")
	flags.StringVar(&o.owner, "owner", "", "the owner's account `name` (default your login name)")
	flags.BoolVar(&o.yes, "yes", false, "ask nothing")
	flags.BoolVar(&o.json, "json", false, "print one JSON object once the bot is ready")
	flags.BoolVar(&o.withOpenClaw, "with-openclaw", false, "bring OpenClaw too, with an agent in the chat room")
	flags.BoolVar(&o.adopt, "adopt", false, "look after the OpenClaw that is set up here already, instead of bringing one: shows what that makes and changes, and asks")
	o.agent.flags(flags)
	flags.StringVar(&o.tailscale, "tailscale", "", "`yes` or no: have Tailscale serve the homeserver over https, for phones")
	return cmd
}

func (p *program) runCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "runs the bot against a homeserver that is there, as fraktalia.yaml says",
		Args:  noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(file)
			if errors.Is(err, os.ErrNotExist) {
				return failed("There is no %s. fraktalia init makes one; --config names another file.", file)
			}
			if err != nil {
				return failed("%v", err)
			}
			log := streamLog(p.stderr)
			setLevel(log, c.Log.Level)
			if err := useOpenClaw(c); err != nil {
				return err
			}
			d, err := open(cmd.Context(), c, log, p.version)
			if err != nil {
				return err
			}
			d.ready = func(d *deployment) { log.Infof("ready: %s obeys in %s", c.Bot.UserID, d.bot.AdminRoomID()) }
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&file, "config", filepath.Join(defaultData(), "fraktalia.yaml"), "the configuration's `file`")
	return cmd
}

// relay hands a command line to the running program.
func (p *program) relay(ctx context.Context, args []string) error {
	return shell.Ask(ctx, p.socket, args, shell.Terminal{In: p.typed, Out: p.stdout, Err: p.stderr, Interactive: isTerminal(p.stderr)})
}

func (p *program) interactive() bool { return isTerminal(p.stdin) && isTerminal(p.stderr) }

// ask puts a question to the person at the terminal.
func (p *program) ask(ctx context.Context, question string) (string, error) {
	return p.answered(ctx, question, func() (string, error) {
		line, err := p.typed.ReadString('\n')
		if line != "" {
			err = nil
		}
		return line, err
	})
}

// answered waits for what is typed or for Ctrl-C. Nothing can end the read
// itself: after a Ctrl-C it ends with the program.
func (p *program) answered(ctx context.Context, question string, read func() (string, error)) (string, error) {
	fmt.Fprint(p.stderr, question)
	typed, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		if line, err := read(); err != nil {
			ended <- err
		} else {
			typed <- strings.TrimSpace(line)
		}
	}()
	select {
	case line := <-typed:
		return line, nil
	case <-ended:
		return "", failed("No answer was given.")
	case <-ctx.Done():
		return "", failed("\nStopped.")
	}
}
