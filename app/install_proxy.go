package app

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/config"
)

// proxyUser is the account of the socket proxy, and the group that may use its
// socket.
const proxyUser = "fraktalia-docker"

// behindProxy settles how the bot gets at Docker.
func (i *installation) behindProxy(c config.Config, proxy bool) error {
	i.Image, i.Base, i.Network = c.Sandbox.Image, c.Sandbox.Base, c.Firewall.Network
	if !proxy {
		i.notes = append(i.notes, "The bot is in Docker's group: who takes it over has root's rights on this machine.")
		return nil
	}
	if c.Sandbox.Docker != "" && c.Sandbox.Docker != "unix://"+proxySocket {
		return failed("sandbox.docker names %s, and the bot would go past the socket proxy. Leave it empty, or say --docker-group. Nothing was done.", c.Sandbox.Docker)
	}
	// Where the bot starts OpenClaw itself, that one makes its containers by the
	// same way to Docker.
	if _, err := os.Stat(wishFile(c.Data)); err == nil {
		return failed("OpenClaw is a part of this deployment (up --with-openclaw), and makes containers that the socket proxy would refuse. Say --docker-group. Nothing was done.")
	}
	i.Proxy, i.ProxyUser, i.ProxySocket, i.Engine = true, proxyUser, proxySocket, engineSocket
	if inGroup(i.User, "docker") {
		i.notes = append(i.notes, inDockersGroup(i.User))
	}
	return nil
}

// inDockersGroup warns of a user who needs no proxy. What the unit hides is no
// wall of its own: a socket that is made anew is not hidden any more.
func inDockersGroup(name string) string {
	return fmt.Sprintf("Warning: %s is in the group docker, and so root's equal, as is who takes the bot over: the socket proxy is no wall then. "+
		"The unit hides Docker's socket from the bot, but only until Docker makes it anew. To take %[1]s out of the group: sudo gpasswd -d %[1]s docker && sudo systemctl restart fraktalia", name)
}

func inGroup(name, group string) bool {
	account, err := user.Lookup(name)
	if err != nil {
		return false
	}
	there, err := user.LookupGroup(group)
	if err != nil {
		return false
	}
	groups, err := account.GroupIds()
	return err == nil && slices.Contains(groups, there.Gid)
}

// accountAct makes the proxy's account, with a group of its name.
func accountAct() act {
	args := []string{"--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", proxyUser}
	return act{"useradd " + strings.Join(args, " ") + " (unless it is there)", func(ctx context.Context) error {
		if _, err := user.Lookup(proxyUser); err == nil {
			return nil
		}
		return calling("useradd", args...).do(ctx)
	}}
}

func noAccountAct() act {
	return act{"userdel " + proxyUser + " (if it is there)", func(ctx context.Context) error {
		if _, err := user.Lookup(proxyUser); err != nil {
			return nil
		}
		if out, err := exec.CommandContext(ctx, "userdel", proxyUser).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
		}
		return nil
	}}
}
