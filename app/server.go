package app

import (
	"context"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/bot"
	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/secretfile"
)

// server is the homeserver's administration. What the homeserver is, is asked
// when it is first needed: it may not run yet when the program starts.
type server struct {
	config  config.Homeserver
	client  *homeserver.Client
	log     *logrus.Entry
	bot     *bot.Bot
	botName string // the localpart of the bot's account

	mu    sync.Mutex
	found homeserver.Driver
	with  homeserver.Options // what it was made with
}

func newServer(c config.Config, bot *bot.Bot, log *logrus.Entry) *server {
	name, _, _ := strings.Cut(strings.TrimPrefix(c.Bot.UserID, "@"), ":")
	return &server{config: c.Homeserver, client: homeserver.NewClient(c.Homeserver.Address, nil), log: log, bot: bot, botName: name}
}

// driver gives the driver. The secrets are read at each use, so that a changed
// one counts at once.
func (s *server) driver(ctx context.Context) (homeserver.Driver, error) {
	options, err := s.options()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found != nil && s.with == options {
		return s.found, nil
	}
	found, err := homeserver.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	s.found, s.with = found, options
	return found, nil
}

func (s *server) options() (homeserver.Options, error) {
	shared, err := s.secret("registration_secret_file", s.config.RegistrationSecretFile)
	if err != nil {
		return homeserver.Options{}, err
	}
	token, err := s.secret("admin_token_file", s.config.AdminTokenFile)
	if err != nil {
		return homeserver.Options{}, err
	}
	client, err := s.secret("mas.client_secret_file", s.config.MAS.SecretFile)
	if err != nil {
		return homeserver.Options{}, err
	}
	mas := homeserver.MASOptions{Address: s.config.MAS.Address, Client: homeserver.Secret(s.config.MAS.ClientID), Secret: client, Bot: s.botName}
	if token == "" && mas.Address == "" {
		token = homeserver.Secret(s.bot.Token()) // behind the service an ordinary log-in's token administers nothing
	}
	return homeserver.Options{Client: s.client, Shared: shared, Token: token, MAS: mas, AdminRoom: s.bot.ServerRoom()}, nil
}

// secret reads one of the files that the configuration names.
func (s *server) secret(key, path string) (homeserver.Secret, error) {
	if path == "" {
		return "", nil
	}
	text, err := secretfile.Read(path)
	if err != nil {
		return "", command.Because(err, "The file %s, which homeserver.%s names, cannot be read. Put the secret into it, readable by this user alone, or mend the name.", path, key)
	}
	return homeserver.Secret(text), nil
}
