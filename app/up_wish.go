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
}

func (o *agentOptions) flags(flags *pflag.FlagSet) {
	flags.StringVar(&o.url, "model-url", "", "the agent's model: the `address` of an OpenAI-compatible server")
	flags.StringVar(&o.keyFile, "model-key", "", "a `file` with the key for it, - for standard input (or "+keyVariable+"); never the key itself, which everybody on this machine could read")
	flags.StringVar(&o.model, "model", "", "the model's `name` there")
	flags.StringVar(&o.name, "agent", defaultAgent, "the agent's `name`")
	flags.IntVar(&o.port, "gateway-port", gatewayPort, "the `port` of OpenClaw's gateway, on this machine only")
}

// settle makes a wish of the flags and, at a terminal, of answers. The model is
// asked for one answer before anything is made.
func (o *agentOptions) settle(ctx context.Context, p *program) (agentWish, string, error) {
	wish := agentWish{Agent: o.name, Port: o.port, Network: noNetwork}
	if err := homeserver.ValidLocalpart(o.name, ""); err != nil || !agentName(o.name) {
		return wish, "", usage("--agent %s: an agent's name begins with a small letter, and has small letters, digits and - only", o.name)
	}
	key, err := o.key(p)
	if err != nil {
		return wish, "", err
	}
	server := model.Server{URL: strings.TrimSuffix(o.url, "/"), Key: key}
	if server.URL == "" {
		var known bool
		if server, known = model.Of(key); !known {
			return wish, "", usage("OpenClaw's agent needs a model: say --model-url ADDRESS of an OpenAI-compatible server, or --model-key FILE with a provider's key.")
		}
	}
	wish.ModelURL = server.URL
	if wish.Model, err = o.tried(ctx, p, server); err != nil {
		return wish, "", err
	}
	return wish, key, nil
}

// agentName says whether OpenClaw and Matrix both take a name.
func agentName(name string) bool {
	return name[0] >= 'a' && name[0] <= 'z' && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// key reads the model's key; "" where none was given.
func (o *agentOptions) key(p *program) (string, error) {
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

// tried asks the model for an answer and returns its name.
func (o *agentOptions) tried(ctx context.Context, p *program, server model.Server) (string, error) {
	name := o.model
	if name == "" {
		known, err := server.Models(ctx)
		if err != nil {
			return "", modelProblem(err)
		}
		if len(known) != 1 {
			return "", usage("Say which model with --model. %s has %s.", server.URL, someOf(known))
		}
		name = known[0]
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
