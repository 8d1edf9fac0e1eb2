package stack

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"text/template"
)

//go:embed homeserver.yaml.tmpl
var homeserverTemplate string

//go:embed log.yaml.tmpl
var logTemplate string

// configure writes secrets, signing key and both configuration files. Secrets
// are made once; the configuration is written each time, so that a newer
// program brings its settings along.
func (s *Stack) configure() error {
	s.options.Progress(Event{Step: StepConfig, Percent: Unknown})
	err := errors.Join(
		keepSecret(s.layout.registrationSecret(), randomText),
		keepSecret(s.layout.macaroonSecret(), randomText),
		keepSecret(s.layout.formSecret(), randomText),
		keepSecret(s.layout.signingKey(), newSigningKey),
		s.render(s.layout.config(), homeserverTemplate),
		s.render(s.layout.logConfig(), logTemplate),
	)
	if err != nil {
		return fmt.Errorf("configure Synapse: %w", err)
	}
	s.options.Progress(Event{Step: StepConfig, Percent: 100})
	return nil
}

func (s *Stack) render(path, source string) error {
	parsed, err := template.New("").Funcs(template.FuncMap{"quote": quote}).Parse(source)
	if err != nil {
		return fmt.Errorf("template of %s: %w", path, err)
	}
	values := map[string]any{
		"ServerName":   s.serverName,
		"Host":         s.host,
		"Port":         s.port,
		"Loopback":     net.ParseIP(s.host).IsLoopback(),
		"Database":     s.layout.database(),
		"LogConfig":    s.layout.logConfig(),
		"Log":          s.layout.log(),
		"Media":        s.layout.media(),
		"SigningKey":   s.layout.signingKey(),
		"Registration": s.layout.registrationSecret(),
		"Macaroon":     s.layout.macaroonSecret(),
		"Form":         s.layout.formSecret(),
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, values); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeFile(path, text.Bytes())
}

// quote makes a YAML string of any text: JSON's strings are YAML's.
func quote(text string) (string, error) {
	data, err := json.Marshal(text)
	return string(data), err
}

// newSigningKey makes the key with which the server signs events, in the form
// that signedjson reads: algorithm, version, seed in unpadded base64.
func newSigningKey() (string, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make signing key: %w", err)
	}
	version, err := randomText()
	if err != nil {
		return "", err
	}
	version = "a_" + strings.NewReplacer("-", "", "_", "").Replace(version)[:6]
	return fmt.Sprintf("ed25519 %s %s\n", version, base64.RawStdEncoding.EncodeToString(private.Seed())), nil
}
