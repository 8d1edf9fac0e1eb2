package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Host is another machine with a Docker engine, reached over ssh.
type Host struct {
	Name       string   `yaml:"name"`
	Address    string   `yaml:"address"`
	KeyFile    string   `yaml:"key_file"`
	KnownHosts string   `yaml:"known_hosts"`
	Socket     string   `yaml:"socket"`
	Agents     []string `yaml:"agents"`
}

const (
	sshPort       = "22"
	knownHosts    = "~/.ssh/known_hosts"
	defaultSocket = "/var/run/docker.sock"
)

// Login takes the address apart: the account, and host:port.
func (h Host) Login() (user, address string) {
	user, address, _ = strings.Cut(h.Address, "@")
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), sshPort)
	}
	return user, address
}

func (h *Host) resolve(folder string) {
	if h.KnownHosts == "" {
		h.KnownHosts = knownHosts
	}
	if h.Socket == "" {
		h.Socket = defaultSocket
	}
	h.KeyFile, h.KnownHosts = absolute(h.KeyFile, folder), absolute(h.KnownHosts, folder)
}

// checkHosts says what is wrong with the hosts.
func (c *Config) checkHosts() []string {
	var list []string
	homes := map[string]string{}
	for i, h := range c.Hosts {
		user, address := h.Login()
		name, port, err := net.SplitHostPort(address)
		number, badPort := strconv.Atoi(port)
		if user == "" || !strings.Contains(h.Address, "@") || strings.ContainsAny(h.Address, " \t/") || err != nil || name == "" ||
			badPort != nil || number < 1 || number > 65535 {
			list = append(list, fmt.Sprintf("hosts: address %q is no ssh address such as docker@attic.example or docker@10.0.0.7:2222", h.Address))
		}
		if !isPlainName(h.Name) {
			list = append(list, fmt.Sprintf("hosts: name %q: small letters, digits and - only", h.Name))
		}
		if slices.ContainsFunc(c.Hosts[:i], func(other Host) bool { return other.Name == h.Name }) {
			list = append(list, fmt.Sprintf("hosts: two are called %q", h.Name))
		}
		if h.Socket != "" && !strings.HasPrefix(h.Socket, "/") {
			list = append(list, fmt.Sprintf("hosts: socket %q is no absolute path", h.Socket))
		}
		for _, agent := range h.Agents {
			if other, twice := homes[agent]; twice {
				list = append(list, fmt.Sprintf("hosts: agent %s lives on %s and on %s", agent, other, h.Name))
			}
			homes[agent] = h.Name
		}
	}
	return list
}

func isPlainName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && name[0] != '-'
}
