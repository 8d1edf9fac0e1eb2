package config

import (
	"strings"
	"testing"
)

const aFile = "homeserver: {address: http://127.0.0.1:8008, server_name: box}\nbot: {user_id: \"@b:box\"}\nowners: [\"@a:box\"]\n"

func TestHosts(t *testing.T) {
	c, err := parse([]byte(aFile+`hosts:
  - {name: attic, address: docker@attic.example}
  - {name: shed, address: "root@[fd00::7]:2222", key_file: keys/shed, agents: [mox]}
`), "f.yaml", "/x")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]string{{"docker", "attic.example:22"}, {"root", "[fd00::7]:2222"}} {
		if user, address := c.Hosts[i].Login(); user != want[0] || address != want[1] {
			t.Errorf("%s at %s, want %v", user, address, want)
		}
	}
	if h := c.Hosts[0]; h.Socket != "/var/run/docker.sock" || !strings.HasSuffix(h.KnownHosts, "/.ssh/known_hosts") || h.KeyFile != "" {
		t.Errorf("%+v", h)
	}
	if c.Hosts[1].KeyFile != "/x/keys/shed" {
		t.Errorf("%+v", c.Hosts[1])
	}
}

func TestBadHosts(t *testing.T) {
	for text, want := range map[string]string{
		"[{name: attic, address: attic.example}]":                                                      "no ssh address",
		"[{name: attic, address: \"@attic\"}]":                                                         "no ssh address",
		"[{name: attic, address: \"ssh://a@b\"}]":                                                      "no ssh address",
		"[{name: attic, address: \"a@b:99999\"}]":                                                      "no ssh address",
		"[{name: attic, address: \"a@b:x\"}]":                                                          "no ssh address",
		"[{name: \"My attic\", address: a@b}]":                                                         "small letters",
		"[{address: a@b}]":                                                                             "small letters",
		"[{name: attic, address: a@b}, {name: attic, address: a@c}]":                                   "two are called",
		"[{name: attic, address: a@b, socket: docker.sock}]":                                           "no absolute path",
		"[{name: attic, address: a@b, password: x}]":                                                   `no key "password"`,
		"[{name: attic, address: a@b, agents: [mox]}, {name: shed, address: a@c, agents: [max, mox]}]": "agent mox lives on attic and on shed",
	} {
		if _, err := parse([]byte(aFile+"hosts: "+text+"\n"), "f.yaml", "/x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q in %v", text, want, err)
		}
	}
}
