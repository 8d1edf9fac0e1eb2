package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/homeserver"
)

// answerSoon is how long a homeserver or an engine may take to answer.
const answerSoon = 4 * time.Second

// homeserverHealth tells whether the server answers, what it is, and what can
// be done with it.
func (d *deployment) homeserverHealth(ctx context.Context) command.Finding {
	begun := time.Now()
	// A request that fails is made again for longer than anybody waits here.
	soon, cancel := context.WithTimeout(ctx, answerSoon)
	defer cancel()
	if err := d.bot.Reachable(soon); err != nil {
		d.log.WithError(err).Info("status: the homeserver")
		return notWell("see that it runs; its log says why it does not", "%s does not answer", d.config.Homeserver.Address)
	}
	answers := fmt.Sprintf("%s answers in %d ms, as %s", d.config.Homeserver.Address, time.Since(begun).Milliseconds(), d.config.Homeserver.ServerName)
	driver, err := d.server.driver(ctx)
	if err == nil {
		err = driver.Prove(ctx)
	}
	if err != nil {
		d.log.WithError(err).Info("status: the homeserver's administration")
	}
	var problem *command.Problem
	switch {
	case errors.As(err, new(homeserver.ErrNotAdmin)):
		return unsure("make the bot's account an administrator, or name an administrator's token in homeserver.admin_token_file",
			"%s; %s, but our account is no administrator", answers, driver.Kind())
	case errors.As(err, new(homeserver.ErrTokenRefused)):
		return notWell("put a fresh administrator's token into the file of homeserver.admin_token_file", "%s; it refuses the administrator's token", answers)
	case errors.As(err, new(homeserver.ErrUnknownKind)):
		return unsure("", "%s; it is none that I can administer", answers)
	case errors.As(err, &problem):
		return notWell("mend it in fraktalia.yaml", "%s. %s", answers, strings.TrimSuffix(problem.Sentence, "."))
	case err != nil:
		return unsure("the log says why", "%s; its administration does not answer", answers)
	}
	return well("%s; %s, %s", answers, driver.Kind(), abilities(driver.Can()))
}

// abilities tells what a server lacks; what it has is the rule.
func abilities(can []homeserver.Ability) string {
	var missing []string
	for _, ability := range homeserver.Abilities() {
		if !slices.Contains(can, ability) {
			missing = append(missing, string(ability))
		}
	}
	if len(missing) == 0 {
		return "which can do all that I can ask for"
	}
	return "which has no way to " + strings.Join(missing, ", ")
}
