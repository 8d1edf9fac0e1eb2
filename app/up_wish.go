package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/openclaw/model"
)

const (
	defaultAgent = "mox"
	// gatewayPort is OpenClaw's own choice.
	gatewayPort = 18789
	// keyVariable holds the model's key where no file does.
	keyVariable = "FRAKTALIA_MODEL_KEY"
	// noNetwork is the network of a sandbox that has none.
	noNetwork = "none"
)

// agentOptions are the flags of `fraktalia up` about the agent.
type agentOptions struct {
	name, url, keyFile, model string
	port                      int
	noFirewall                bool
	said                      func(flag string) bool
}

// portSaid is the gateway's port where one was said; else 0.
func (o *agentOptions) portSaid() (int, error) {
	if !o.said("gateway-port") {
		return 0, nil
	}
	return o.port, o.checkPort()
}

func (o *agentOptions) checkPort() error {
	if o.port < 1 || o.port > 65535 {
		return usage("--gateway-port %d: a port is a number from 1 to 65535", o.port)
	}
	return nil
}

func (o *agentOptions) flags(flags *pflag.FlagSet) {
	o.said = flags.Changed
	flags.StringVar(&o.url, "model-url", "", "the agent's model: the `address` of an OpenAI-compatible server")
	flags.StringVar(&o.keyFile, "model-key", "", "a `file` with the key for it, - for standard input (or "+keyVariable+"); never the key itself, which everybody on this machine could read")
	flags.StringVar(&o.model, "model", "", "the model's `name` there")
	flags.StringVar(&o.name, "agent", defaultAgent, "the agent's `name`")
	flags.BoolVar(&o.noFirewall, "no-firewall", false, "leave this machine's firewall alone: the agent's sandbox then has no network at all")
	flags.IntVar(&o.port, "gateway-port", gatewayPort, "the `port` of OpenClaw's gateway, on this machine only")
}

// settle makes a wish of the flags and, where there is somebody to ask, of
// answers. The model is asked for one answer before anything is made.
func (o agentOptions) settle(ctx context.Context, p *program, mayAsk bool) (wish agentWish, key string, err error) {
	wish = agentWish{Agent: o.name, Port: o.port}
	if err := homeserver.ValidLocalpart(o.name, ""); err != nil || !agentName(o.name) || o.name == botName {
		return wish, "", usage("--agent %s: an agent's name begins with a small letter, and has small letters, digits and - only", o.name)
	}
	if err := o.checkPort(); err != nil {
		return wish, "", err
	}
	if key, err = o.key(p); err != nil {
		return wish, "", err
	}
	var server model.Server
	if mayAsk && o.url == "" && key == "" {
		server, wish.Model, err = o.asked(ctx, p)
	} else {
		server, wish.Model, err = o.told(ctx, p, key)
	}
	wish.ModelURL = server.URL
	return wish, server.Key, err
}

// told takes the model of the flags.
func (o agentOptions) told(ctx context.Context, p *program, key string) (model.Server, string, error) {
	server := model.Server{URL: strings.TrimSuffix(o.url, "/"), Key: key}
	if server.URL == "" {
		var known bool
		if server, known = model.Of(key); !known {
			return server, "", usage("OpenClaw's agent needs a model: say --model-url ADDRESS of an OpenAI-compatible server, or --model-key FILE with a provider's key.")
		}
	}
	name, err := o.tried(ctx, p, server, func(known []string) (string, error) {
		return "", usage("Say which model with --model. %s has %s.", server.URL, someOf(known))
	})
	return server, name, err
}

// asked asks for the model until one has answered.
func (o agentOptions) asked(ctx context.Context, p *program) (model.Server, string, error) {
	for {
		server, err := o.askServer(ctx, p)
		if err != nil {
			return server, "", err
		}
		name, err := o.tried(ctx, p, server, func(known []string) (string, error) {
			p.tell("It has %s.", someOf(known))
			return p.ask(ctx, "Which model shall the agent use? ")
		})
		var wrong *exitError
		if !errors.As(err, &wrong) || ctx.Err() != nil {
			return server, name, err
		}
		p.tell("%s Try again.", strings.TrimSuffix(wrong.text, " Nothing was changed."))
	}
}

func (o agentOptions) askServer(ctx context.Context, p *program) (model.Server, error) {
	for {
		typed, err := p.askHidden(ctx, "The agent's model: paste a key of Anthropic, OpenAI, OpenRouter, Groq, Google or xAI (it is not shown),\nor type the address of an OpenAI-compatible server: ")
		if err != nil {
			return model.Server{}, err
		}
		if strings.HasPrefix(typed, "http://") || strings.HasPrefix(typed, "https://") {
			key, err := p.askHidden(ctx, "The key for "+typed+" (it is not shown; Enter for none): ")
			return model.Server{URL: strings.TrimSuffix(typed, "/"), Key: key}, err
		}
		if server, known := model.Of(typed); known {
			return server, nil
		}
		p.tell("That is no address such as http://127.0.0.1:8080/v1, and no key of a provider that I know. Try again.")
	}
}

// agentName says whether OpenClaw and Matrix both take a name.
func agentName(name string) bool {
	return name[0] >= 'a' && name[0] <= 'z' && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// key reads the model's key; "" where none was given.
func (o agentOptions) key(p *program) (string, error) {
	var text []byte
	var err error
	switch o.keyFile {
	case "":
		return strings.TrimSpace(os.Getenv(keyVariable)), nil
	case "-":
		text, err = io.ReadAll(io.LimitReader(p.typed, 64<<10))
	default:
		text, err = os.ReadFile(o.keyFile)
	}
	if errors.Is(err, os.ErrNotExist) {
		return "", usage("--model-key takes a file with the key in it, not the key: everybody on this machine can read command lines. There is no such file.")
	}
	if err != nil {
		return "", failed("The model's key cannot be read: %v", plain(err))
	}
	key := strings.TrimSpace(string(text))
	if key == "" || strings.ContainsAny(key, " \t\n") {
		return "", failed("There is no key in what --model-key names: it is one word.")
	}
	return key, nil
}

// tried asks the model for an answer and returns its name. Where the server has
// several and none is named, choose says which.
func (o agentOptions) tried(ctx context.Context, p *program, server model.Server, choose func([]string) (string, error)) (string, error) {
	name := o.model
	if name == "" {
		known, err := server.Models(ctx)
		if err != nil {
			return "", modelProblem(err)
		}
		name = known[0]
		if len(known) != 1 {
			if name, err = choose(known); err != nil {
				return "", err
			}
		}
	}
	p.tell("Asking the model %s for one answer …", name)
	return name, modelProblem(server.Try(ctx, name))
}

// modelProblem is in words why a model cannot be used.
func modelProblem(err error) error {
	var key model.ErrKey
	var name model.ErrModel
	var server model.ErrServer
	switch {
	case errors.As(err, &key):
		return failed("The model's server does not take the key (%s). Nothing was changed.", key.Said)
	case errors.As(err, &name):
		return failed("The server refuses the model %q (%s). It has %s. Nothing was changed.", name.Name, name.Said, someOf(name.Known))
	case errors.As(err, &server):
		return failed("No model answers at %s: %v. Nothing was changed.", server.URL, server.Err)
	}
	return err
}

// someOf lists the first of many names.
func someOf(names []string) string {
	const most = 12
	if len(names) == 0 {
		return "none that it tells of"
	}
	text := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}
