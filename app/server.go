package app

import (
	"context"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/secretfile"
)

// server is the homeserver's administration. What the homeserver is, is asked
// when it is first needed: it may not run yet when the program starts.
type server struct {
	config   config.Homeserver
	client   *homeserver.Client
	log      *logrus.Entry
	botToken func() string

	mu    sync.Mutex
	found homeserver.Driver
	with  homeserver.Options // what it was made with
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
	if token == "" {
		token = homeserver.Secret(s.botToken())
	}
	return homeserver.Options{Client: s.client, Shared: shared, Token: token}, nil
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
