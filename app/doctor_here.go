package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/shell"
	"github.com/githabideri/fraktalia/stack"
)

// doctorHere lets the relayed doctor go on alone where no program runs: what
// is wrong then is what people most want to know.
func (p *program) doctorHere(cmd *cobra.Command) {
	var file string
	cmd.Flags().StringVar(&file, "config", "", "the configuration's `file`, for when nothing runs (default fraktalia.yaml beside the socket)")
	command.StaysHere(cmd.Flags().Lookup("config"))
	relayed := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := relayed(cmd, args)
		if !errors.Is(err, shell.ErrNotRunning) {
			return err
		}
		if file == "" {
			file = filepath.Join(filepath.Dir(p.socket), "fraktalia.yaml")
		}
		asJSON, _ := cmd.Flags().GetBool("json")
		return p.examine(cmd.Context(), p.checksHere(file), asJSON)
	}
}

// examine tries and prints.
func (p *program) examine(ctx context.Context, checks []command.Check, asJSON bool) error {
	answer := command.Examine(ctx, checks, true, p.progress)
	if isTerminal(p.stderr) {
		fmt.Fprint(p.stderr, "\r\x1b[K")
	}
	text := []byte(answer.Doc.Text())
	if asJSON {
		var err error
		if text, err = json.MarshalIndent(answer.Data, "", "  "); err != nil {
			return err
		}
	}
	fmt.Fprintln(p.stdout, strings.TrimRight(string(text), "\n"))
	if answer.Unwell {
		return shell.ErrUnwell
	}
	return nil
}

// progress overwrites one line on a terminal.
func (p *program) progress(doc reply.Doc) {
	if isTerminal(p.stderr) {
		line, _, _ := strings.Cut(doc.Text(), "\n")
		fmt.Fprintf(p.stderr, "\r\x1b[K%s", line)
	}
}

// checksHere are what can be tried with no program running.
func (p *program) checksHere(file string) []command.Check {
	c, err := config.Load(file)
	checks := []command.Check{
		{Part: "fraktalia", Look: func(context.Context) command.Finding {
			return notWell("start it: fraktalia up, fraktalia run, or systemctl start fraktalia", "does not run (nothing listens on %s)", p.socket)
		}},
		{Part: "configuration", Look: func(context.Context) command.Finding { return configHealth(file, c, err) }},
	}
	if err != nil {
		return checks
	}
	log := streamLog(p.stderr)
	log.Logger.SetLevel(logrus.ErrorLevel)
	d, err := openHere(c, log, p.version)
	if err != nil {
		return append(checks, command.Check{Part: "docker", Look: func(context.Context) command.Finding {
			return notWell("mend sandbox.docker and hosts in fraktalia.yaml", "%s", rootCause(err))
		}})
	}
	return append(checks, d.proofsHere()...)
}

// openHere makes the parts that need neither the database nor the bot.
func openHere(c config.Config, log *logrus.Entry, version string) (d *deployment, err error) {
	d = &deployment{config: c, log: log, version: version, started: time.Now()}
	if d.engines, err = openEngines(c, log); err != nil {
		return nil, err
	}
	d.engine = d.engines.local
	d.agents = newAgents(c, d.engines, nil, nil, log)
	d.isolation = newIsolation(prover{c.Firewall, d.engine}, c.Data, nil, log)
	return d, nil
}

// proofsHere are those of them.
func (d *deployment) proofsHere() []command.Check {
	return []command.Check{
		{Part: "homeserver", Look: d.homeserverAnswers},
		{Part: "database", Look: func(ctx context.Context) command.Finding { return inspectDatabase(ctx, d.config.Data) }, Limit: tryLimit},
		{Part: "disk and memory", Look: d.lookAtMachine, Needs: "docker"},
		{Part: "docker", Look: d.proveEngine, Limit: tryLimit},
		{Part: "versions", Look: d.versionsHealth, Limit: tryLimit},
		{Part: "sandbox image", Look: d.imageHealth, Needs: "docker"},
		{Part: "openclaw config", Look: d.openclawHealth},
		{Part: "openclaw gateway", Look: d.gatewayHealth},
		{Part: "backups", Limit: tryLimit, Look: func(ctx context.Context) command.Finding {
			return command.ProveBackups(ctx, newBackups(d.config, d.log), "fraktalia backup")
		}},
	}
}

// configHealth tells whether fraktalia.yaml can be read.
func configHealth(file string, c config.Config, err error) command.Finding {
	var mistakes *config.Mistakes
	switch {
	case errors.Is(err, os.ErrNotExist):
		return notWell("fraktalia up or fraktalia init makes one; --config names another", "there is no %s", file)
	case errors.As(err, &mistakes):
		return notWell("mend it; config/fraktalia.example.yaml explains every field", "%s", strings.Join(strings.Fields(mistakes.Error()), " "))
	case err != nil:
		return notWell("let this user read it", "%s cannot be read: %s", file, rootCause(err))
	}
	return well("%s, %s", file, counted(len(c.Owners), "owner"))
}

// homeserverAnswers asks what anybody may ask.
func (d *deployment) homeserverAnswers(ctx context.Context) command.Finding {
	address := d.config.Homeserver.Address
	_, err := homeserver.NewClient(address, nil).Versions(ctx)
	if err == nil {
		return well("%s answers", address)
	}
	if stack.Ran(d.config.Data) {
		return unsure("fraktalia up starts it too", "%s does not answer", address)
	}
	return notWell("see that it runs; its log says why it does not", "%s does not answer: %s", address, rootCause(err))
}
