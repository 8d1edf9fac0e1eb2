package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/secretfile"
)

// initCommand writes fraktalia.yaml for a homeserver that is there already.
func (p *program) initCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "writes fraktalia.yaml for a homeserver that is there already, by asking",
		Args:  noWords,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.initialise(cmd.Context(), file) },
	}
	cmd.Flags().StringVar(&file, "config", filepath.Join(defaultData(), "fraktalia.yaml"), "the `file` to write")
	return cmd
}

// initialise asks for what the bot needs. Each answer is checked against the
// live server before the next question; nothing is written before all are good.
func (p *program) initialise(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err == nil {
		return failed("%s is there already. Edit it, or name another file with --config.", file)
	}
	c := config.Default()
	client, err := p.askServer(ctx, &c)
	if err != nil {
		return err
	}
	password, err := p.askBot(ctx, client, &c)
	if err != nil {
		return err
	}
	if err := p.askOwner(ctx, &c); err != nil {
		return err
	}
	secret, err := p.askSecret(ctx, client, c.Bot.UserID)
	if err != nil {
		return err
	}
	return p.writeInitial(file, c, password, secret)
}

func (p *program) askServer(ctx context.Context, c *config.Config) (*homeserver.Client, error) {
	for {
		address, err := p.ask(ctx, "Address of the homeserver, as this machine reaches it [http://127.0.0.1:8008]: ")
		if err != nil {
			return nil, err
		}
		if address == "" {
			address = "http://127.0.0.1:8008"
		}
		client := homeserver.NewClient(address, nil)
		if _, err := client.Versions(ctx); err != nil {
			p.tell("No homeserver answers there (%v). Try again.", err)
			continue
		}
		c.Homeserver.Address = address
		return client, nil
	}
}

// askBot logs in as the bot to learn that its name and password are right,
// and out again.
func (p *program) askBot(ctx context.Context, client *homeserver.Client, c *config.Config) (homeserver.Secret, error) {
	for {
		user, err := p.ask(ctx, "The bot's account, made by you beforehand, e.g. @fraktalia:family.example: ")
		if err != nil {
			return "", err
		}
		password, err := p.askHidden(ctx, "Its password: ")
		if err != nil {
			return "", err
		}
		session, err := client.Login(ctx, user, homeserver.Secret(password), "")
		var wrong homeserver.ErrWrongPassword
		switch {
		case errors.As(err, &wrong):
			p.tell("The homeserver refuses that name or password. Try again.")
			continue
		case err != nil:
			p.tell("Logging in failed (%v). Try again.", err)
			continue
		}
		_, c.Homeserver.ServerName, _ = strings.Cut(session.UserID, ":")
		c.Bot.UserID = session.UserID
		return homeserver.Secret(password), client.Logout(ctx, session.Token)
	}
}

func (p *program) askOwner(ctx context.Context, c *config.Config) error {
	for {
		typed, err := p.ask(ctx, "Your own account, which may do everything, e.g. @mila:"+c.Homeserver.ServerName+": ")
		if err != nil {
			return err
		}
		name, server, ok := strings.Cut(strings.TrimPrefix(typed, "@"), ":")
		if ok && strings.HasPrefix(typed, "@") && name != "" && server != "" && typed != c.Bot.UserID {
			c.Owners = []string{typed}
			return nil
		}
		p.tell("That is no account id such as @mila:%s, or it is the bot's. Try again.", c.Homeserver.ServerName)
	}
}

// askSecret checks the registration secret by a registration that cannot
// succeed: the name is the bot's own.
func (p *program) askSecret(ctx context.Context, client *homeserver.Client, botID string) (homeserver.Secret, error) {
	taken, _, _ := strings.Cut(strings.TrimPrefix(botID, "@"), ":")
	for {
		typed, err := p.askHidden(ctx, "Synapse's registration_shared_secret, for !adduser (Enter leaves it out): ")
		if err != nil || typed == "" {
			return "", err
		}
		var exists homeserver.ErrUserExists
		var wrong homeserver.ErrWrongSecret
		var none homeserver.ErrNoSharedSecret
		_, err = homeserver.NewSynapse(client, homeserver.Secret(typed), "").
			Register(ctx, homeserver.Account{Localpart: taken, Password: homeserver.NewPassword()})
		switch {
		case errors.As(err, &exists):
			return homeserver.Secret(typed), nil
		case errors.As(err, &wrong):
			p.tell("The homeserver has another secret. Try again.")
		case errors.As(err, &none):
			p.tell("The homeserver has no registration_shared_secret, so !adduser will not work.")
			return "", nil
		default:
			p.tell("It could not be checked (%v). Try again.", err)
		}
	}
}

// writeInitial writes the configuration and the two secrets beside it.
func (p *program) writeInitial(file string, c config.Config, password, secret homeserver.Secret) error {
	folder := filepath.Join(filepath.Dir(file), "secrets")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the folder of secrets: %w", err)
	}
	keep := func(name string, text homeserver.Secret) (string, error) {
		return filepath.Join("secrets", name), secretfile.Write(filepath.Join(folder, name), text.Reveal())
	}
	var err error
	if c.Bot.PasswordFile, err = keep("bot-password", password); err != nil {
		return fmt.Errorf("keep the bot's password: %w", err)
	}
	if secret != "" {
		if c.Homeserver.RegistrationSecretFile, err = keep("registration-secret", secret); err != nil {
			return fmt.Errorf("keep the registration secret: %w", err)
		}
	}
	if err := config.Write(file, c); err != nil {
		return err
	}
	p.tell("Wrote %s. Start the bot with: fraktalia run --config %s", file, file)
	return nil
}

func (p *program) tell(format string, args ...any) { fmt.Fprintf(p.stderr, format+"\n", args...) }

// askHidden asks without showing what is typed, where there is a terminal.
func (p *program) askHidden(ctx context.Context, question string) (string, error) {
	input, ok := p.stdin.(*os.File)
	if !ok || !p.interactive() {
		return p.ask(ctx, question)
	}
	shown, err := term.GetState(int(input.Fd()))
	if err != nil {
		return "", fmt.Errorf("look at the terminal: %w", err)
	}
	text, err := p.answered(ctx, question, func() (string, error) {
		typed, err := term.ReadPassword(int(input.Fd()))
		return string(typed), err
	})
	fmt.Fprintln(p.stderr)
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(int(input.Fd()), shown)) // the read that hides goes on until the program has ended
	}
	return text, err
}
