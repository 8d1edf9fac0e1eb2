package app

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/stack"
)

//go:embed units
var unitFiles embed.FS

const (
	// unitFolder is where an administrator's units are.
	unitFolder = "/etc/systemd/system"
	// installedProgram is the copy that the units run: the bot's user must not
	// be able to change what root runs.
	installedProgram = "/usr/local/sbin/fraktalia"
)

// proxyUnit is the unit of the socket proxy.
const proxyUnit = "fraktalia-socket-proxy.service"

// unitNames are our units; those that are enabled come first.
func unitNames(proxy bool) (enabled, all []string) {
	enabled = []string{"fraktalia-firewall.service", "fraktalia-firewall-keep.timer", "fraktalia.service"}
	if proxy {
		enabled = append(enabled, proxyUnit)
	}
	return enabled, append(slices.Clone(enabled), "fraktalia-firewall-keep.service")
}

// installation is what the units have to know.
type installation struct {
	Program, Config, User, Data, OpenClaw, Command string
	// Backups is the folder of backups where it is not in the data folder.
	Backups string
	// Cache is the folder of the programs that `up` brings; "" where it is not up
	// that runs.
	Cache string
	// Proxy says that the bot talks to Docker through the socket proxy; else it
	// is in Docker's group.
	Proxy                                                bool
	ProxyUser, ProxySocket, Engine, Image, Base, Network string
	notes                                                []string
}

// act is one thing that install or uninstall does.
type act struct {
	what string
	do   func(context.Context) error
}

func (p *program) installCommand() *cobra.Command {
	var file, name string
	var dryRun, dockerGroup bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "has systemd run the firewall, the socket proxy and the bot (root)",
		Args:  noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := newInstallation(file, name, !dockerGroup)
			if err != nil {
				return err
			}
			acts, err := i.acts()
			if err != nil {
				return err
			}
			return p.perform(cmd, acts, i.notes, dryRun)
		},
	}
	cmd.Flags().BoolVar(&dockerGroup, "docker-group", false, "let the bot use Docker's socket itself, which is as good as root, and not through the socket proxy")
	cmd.Flags().StringVar(&file, "config", rootsConfig(), "the configuration's `file`")
	cmd.Flags().StringVar(&name, "user", "", "the `account` that the bot runs as (default the owner of that file)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "tell what would be done, and do nothing")
	return cmd
}

func (p *program) uninstallCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "takes away what install has made; data, rules and network stay (root)",
		Args:  noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.perform(cmd, uninstalling(), []string{"The rules and the network stay; fraktalia firewall remove takes them away."}, dryRun)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "tell what would be done, and do nothing")
	return cmd
}

// newInstallation finds out whose bot it is and how it is run.
func newInstallation(file, name string, proxy bool) (i installation, err error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return i, err
	}
	c, err := config.Load(path)
	if errors.Is(err, os.ErrNotExist) {
		return i, failed("There is no %s. fraktalia init makes one; --config names another file.", file)
	}
	if err != nil {
		return i, failed("%v", err)
	}
	if name == "" {
		if name, err = accountOf(path); err != nil {
			return i, err
		}
	}
	account, err := user.Lookup(name)
	if err != nil {
		return i, failed("There is no account %q on this machine; --user names another.", name)
	}
	if name == "root" {
		return i, failed("The bot does not run as root, and %s is root's. --user names the account that it runs as.", path)
	}
	i = installation{Program: installedProgram, Config: path, User: name, Data: c.Data, OpenClaw: filepath.Dir(c.OpenClaw.Config), Command: "run --config " + path}
	if stack.Ran(c.Data) {
		i.Command, i.Cache = "up --yes --data "+c.Data, cacheOf(account)
	}
	if !within(c.Backups.Folder, c.Data) {
		i.Backups = c.Backups.Folder
	}
	if err := i.behindProxy(c, proxy); err != nil {
		return i, err
	}
	for _, text := range []string{i.Config, i.Data, i.OpenClaw, i.Backups, i.Cache, i.Image, i.Base, i.Network} {
		if strings.ContainsAny(text, " \t\n%\"'\\") {
			return i, failed("%q has characters that systemd reads as its own; move it elsewhere.", text)
		}
	}
	return i, nil
}

func accountOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("the owner of %s is not known", path)
	}
	owner, err := user.LookupId(strconv.Itoa(int(stat.Uid)))
	if err != nil {
		return "", failed("%s belongs to nobody that this machine knows; --user names the account.", path)
	}
	return owner.Username, nil
}

// acts are all that install does, in order.
func (i installation) acts() (list []act, err error) {
	list = append(list, act{"copy this program to " + installedProgram, func(context.Context) error { return copySelf(installedProgram) }})
	enabled, all := unitNames(i.Proxy)
	if i.Proxy {
		list = append(list, accountAct())
	} else if _, err := os.Stat(filepath.Join(unitFolder, proxyUnit)); err == nil {
		list = append(list, leaving([]string{proxyUnit}), removing(filepath.Join(unitFolder, proxyUnit)))
	}
	if i.Cache != "" {
		list = append(list, i.cacheAct())
	}
	for _, name := range all {
		text, err := i.unit(name)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(unitFolder, name)
		list = append(list, act{"write " + path, func(context.Context) error { return settleFile(path, text, 0o644) }})
	}
	return append(list,
		calling("systemctl", "daemon-reload"),
		calling(installedProgram, "firewall", "apply", "--config", i.Config),
		calling("systemctl", append([]string{"enable"}, enabled...)...),
		calling("systemctl", append([]string{"restart"}, enabled...)...)), nil // what runs already takes the new units
}

// unit fills in one unit.
func (i installation) unit(name string) ([]byte, error) {
	text, err := unitFiles.ReadFile("units/" + name)
	if err != nil {
		return nil, err
	}
	form, err := template.New(name).Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("read unit %s: %w", name, err)
	}
	var out bytes.Buffer
	err = form.Execute(&out, i)
	return out.Bytes(), err
}

func uninstalling() (list []act) {
	enabled, all := unitNames(true)
	list = append(list, leaving(enabled))
	for _, path := range append(inFolder(all), installedProgram) {
		list = append(list, removing(path))
	}
	return append(list, calling("systemctl", "daemon-reload"), noAccountAct())
}

// leaving is the act of stopping units for good; one that is not there is no
// reason to keep the others.
func leaving(names []string) act {
	return act{"systemctl disable --now " + strings.Join(names, " "), func(ctx context.Context) error {
		for _, name := range names {
			_ = exec.CommandContext(ctx, "systemctl", "disable", "--now", name).Run()
		}
		return nil
	}}
}

func removing(path string) act {
	return act{"remove " + path, func(context.Context) error {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}}
}

func inFolder(names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join(unitFolder, name)
	}
	return paths
}

// calling is the act of running a program.
func calling(name string, args ...string) act {
	return act{name + " " + strings.Join(args, " "), func(ctx context.Context) error {
		if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
		}
		return nil
	}}
}

// perform does the acts and tells each; a dry run only tells.
func (p *program) perform(cmd *cobra.Command, acts []act, notes []string, dryRun bool) error {
	if !dryRun {
		if os.Geteuid() != 0 {
			return failed("This takes root's rights. Run: sudo fraktalia %s (--dry-run tells what it would do)", cmd.Name())
		}
		if _, err := os.Stat("/run/systemd/system"); err != nil {
			return failed("systemd does not run here, so there is nothing to %s. --dry-run tells what would be done.", cmd.Name())
		}
	}
	for _, a := range acts {
		fmt.Fprintln(p.stdout, a.what)
		if dryRun {
			continue
		}
		if err := a.do(cmd.Context()); err != nil {
			return failed("That failed: %v. What is above it is done; the same command again goes on.", err)
		}
	}
	for _, note := range notes {
		fmt.Fprintln(p.stdout, note)
	}
	return nil
}
