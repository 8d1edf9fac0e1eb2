package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/firewall"
	"github.com/githabideri/fraktalia/firewall/probe"
)

// checked is what `fraktalia firewall check --json` prints.
type checked struct {
	OK    bool              `json:"ok"`
	Rules firewall.Standing `json:"rules"`
	probe.Report
}

// check looks at the rules and tries from inside; any surprise ends the program
// with status 1.
func (w *wall) check(ctx context.Context, asJSON bool) error {
	policy, around, err := w.policy()
	if err != nil {
		return err
	}
	if err := w.checkNetwork(ctx, around); err != nil {
		return err
	}
	standing, err := w.rules.Look(ctx, policy)
	if err != nil {
		return err
	}
	w.tell("Trying from inside; this takes up to half a minute …")
	report, err := prover{w.config, w.engine}.prove(ctx)
	var none *noNetworkError
	if errors.As(err, &none) {
		return failed("There is no network %s yet, so nothing can be tried from inside. Make it: fraktalia firewall apply", none.Network)
	}
	if err != nil {
		return err
	}
	surprises := len(report.Surprises())
	if asJSON {
		encoder := json.NewEncoder(w.stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(checked{standing == firewall.Right && surprises == 0, standing, report}); err != nil {
			return err
		}
	} else {
		w.say("Rules: %s\n\n%s", standingText[standing], strings.TrimSpace(command.IsolationDoc(report).Text()))
	}
	if standing != firewall.Right || surprises > 0 {
		return &exitError{code: 1, text: fmt.Sprintf("Not as it should be: the rules are %s, %d of %d tries were a surprise. fraktalia firewall apply repairs the rules.", standing, surprises, len(report.Findings))}
	}
	return nil
}
