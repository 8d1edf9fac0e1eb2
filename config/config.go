// Package config reads fraktalia.yaml: strictly, with all mistakes told at
// once. It checks form only; whether a server answers is for others to find
// out, and nothing is guessed that a person did not write.
package config

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Example is the shipped file, every field explained.
//
//go:embed fraktalia.example.yaml
var Example string

// Config is the whole file. fraktalia.example.yaml says what each field means.
type Config struct {
	// File is where it was read, absolute; "" where it was not.
	File       string     `yaml:"-"`
	Homeserver Homeserver `yaml:"homeserver"`
	Bot        Bot        `yaml:"bot"`
	Owners     []string   `yaml:"owners"`
	Rooms      Rooms      `yaml:"rooms"`
	Data       string     `yaml:"data"`
	Forwards   Forwards   `yaml:"forwards"`
	Sandbox    Sandbox    `yaml:"sandbox"`
	Hosts      []Host     `yaml:"hosts"`
	OpenClaw   OpenClaw   `yaml:"openclaw"`
	Tailscale  Tailscale  `yaml:"tailscale"`
	Firewall   Firewall   `yaml:"firewall"`
	Roles      Roles      `yaml:"roles"`
	Metrics    Metrics    `yaml:"metrics"`
	Backups    Backups    `yaml:"backups"`
	Log        Log        `yaml:"log"`
}

// Homeserver is the server the bot lives on.
type Homeserver struct {
	Address                string `yaml:"address"`
	ServerName             string `yaml:"server_name"`
	PublicAddress          string `yaml:"public_address"`
	RegistrationSecretFile string `yaml:"registration_secret_file"`
	AdminTokenFile         string `yaml:"admin_token_file"`
	MAS                    MAS    `yaml:"mas"`
}

// MAS is the Matrix Authentication Service of a homeserver that leaves accounts
// to one.
type MAS struct {
	Address    string `yaml:"address"`
	ClientID   string `yaml:"client_id"`
	SecretFile string `yaml:"client_secret_file"`
}

// Bot is the bot's own account.
type Bot struct {
	UserID       string `yaml:"user_id"`
	PasswordFile string `yaml:"password_file"`
}

// Rooms are the ids of rooms that exist already.
type Rooms struct {
	Admin string `yaml:"admin"`
	Chat  string `yaml:"chat"`
}

// Forwards bounds what !forward may open.
type Forwards struct {
	Range  PortRange `yaml:"range"`
	Listen string    `yaml:"listen"`
}

// Sandbox is the image and the engine that builds it.
type Sandbox struct {
	Image      string `yaml:"image"`
	Base       string `yaml:"base"`
	User       string `yaml:"user"`
	Fragment   string `yaml:"fragment"`
	Dockerfile string `yaml:"dockerfile"`
	Docker     string `yaml:"docker"`

	FixPermissions Schedule `yaml:"fix_permissions"`
}

// OpenClaw is where OpenClaw keeps its configuration and listens.
type OpenClaw struct {
	Config           string `yaml:"config"`
	Gateway          string `yaml:"gateway"`
	GatewayTokenFile string `yaml:"gateway_token_file"`
	AnswerWithin     Answer `yaml:"answer_within"`
	Run              bool   `yaml:"run"`
}

// Tailscale is the tailnet that this machine may be in.
type Tailscale struct {
	Socket string `yaml:"socket"`
}

// Roles are what accounts may do that are no owners.
type Roles struct {
	Agent           Policy `yaml:"agent"`
	Friend          Policy `yaml:"friend"`
	ProposalsAnHour int    `yaml:"proposals_an_hour"`
}

// Policy is what a role may do by itself, and what it may put before the owners.
type Policy struct {
	May        []string `yaml:"may"`
	MayPropose []string `yaml:"may_propose"`
}

// Log bounds what is written to the log.
type Log struct {
	Level string `yaml:"level"`
}

// Default is the configuration of a file that says only what it must.
func Default() Config {
	return Config{
		Data:     ".",
		Forwards: Forwards{Range: PortRange{9000, 9099}, Listen: "loopback, lan, tailnet"},
		Sandbox:  Sandbox{Image: "openclaw-sandbox:bookworm-slim", Base: "debian:bookworm-slim"},
		Firewall: defaultFirewall(),
		Hosts:    []Host{},
		OpenClaw: OpenClaw{Config: "~/.openclaw/openclaw.json", Gateway: "http://127.0.0.1:18789", AnswerWithin: "3m"},
		Roles: Roles{
			Agent: Policy{
				May:        []string{"help", "forwards", "status", "sandbox"},
				MayPropose: []string{"forward", "unforward", "createroom", "invite", "adduser", "packages add", "rebuild-sandbox", "agent set"},
			},
			Friend:          Policy{May: []string{"help", "forwards"}, MayPropose: []string{}},
			ProposalsAnHour: 6,
		},
		Backups: Backups{Folder: "backups", Every: "every 24h", Keep: 7},
		Log:     Log{Level: "info"},
	}
}

// Load reads the file at path. The error, if any, is a *Mistakes that lists
// everything wrong in it, or says that the file cannot be read.
func Load(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	c, err := parse(text, path, folder)
	c.File = filepath.Join(folder, filepath.Base(path))
	return c, err
}

func parse(text []byte, name, folder string) (Config, error) {
	c := Default()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	found := &Mistakes{File: name}
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		found.addYAML(err)
	}
	found.List = append(found.List, c.check()...)
	if len(found.List) > 0 {
		return Config{}, found
	}
	c.resolve(folder)
	return c, nil
}

// Write makes the file at path, mode 0600, from the shipped example with the
// values of c in it, so that the explanations come along. It is there whole or not
// at all, and one that is there already is left alone.
func Write(path string, c Config) error {
	text, err := c.render()
	if err != nil {
		return err
	}
	return put(path, text, os.Link) // which takes no other file's place
}

// Change writes the file at path anew with other values; what a person has
// written beside them stays: comments, and keys in their order. The paths in it
// are as they stand in the file.
func Change(path string, change func(*Config)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	c := Default()
	if err := yaml.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	change(&c)
	if text, err = c.into(text); err != nil {
		return err
	}
	return put(path, text, os.Rename)
}

// put writes a file of mode 0600 aside and then gives it its name, so that neither a
// crash nor a full disk leaves a part of it there.
func put(path string, text []byte, name func(from, to string) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".fraktalia-*.yaml")
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := name(file.Name(), path); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// resolve makes every path absolute.
func (c *Config) resolve(folder string) {
	for _, path := range []*string{&c.Homeserver.RegistrationSecretFile, &c.Homeserver.AdminTokenFile, &c.Homeserver.MAS.SecretFile, &c.Bot.PasswordFile, &c.Data,
		&c.OpenClaw.Config, &c.OpenClaw.GatewayTokenFile, &c.Sandbox.Fragment, &c.Sandbox.Dockerfile, &c.Tailscale.Socket} {
		*path = absolute(*path, folder)
	}
	c.Backups.Folder = absolute(c.Backups.Folder, c.Data) // after data itself
	for i := range c.Hosts {
		c.Hosts[i].resolve(folder)
	}
}

func absolute(path, folder string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return filepath.Join(folder, path)
}
