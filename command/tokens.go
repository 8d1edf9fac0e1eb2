package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
)

// tokenHandle names a registration token without being it.
func tokenHandle(token homeserver.Secret) string {
	text := token.Reveal()
	return text[:min(6, len(text)/3)]
}

// tokensCount refuses where the homeserver takes no registration tokens.
func (j *joining) tokensCount(ctx context.Context) error { return tokensCount(ctx, j.driver) }

func tokensCount(ctx context.Context, driver homeserver.Driver) error {
	server, ok := driver.(interface {
		TokensCount(ctx context.Context) (bool, error)
	})
	if !ok {
		return nil // making one tells
	}
	count, err := server.TokensCount(ctx)
	if err != nil {
		return peopleProblem(err)
	}
	if !count {
		return Sorry("The homeserver lets nobody make an account with a token. In Synapse set enable_registration and registration_requires_token to true; or leave --token out, and I make the account.")
	}
	return nil
}

func (r *run) tokensCommand() *cobra.Command {
	uses, valid := 1, tokenValid
	cmd := &cobra.Command{
		Use:   "tokens [new [--uses NUMBER] [--for TIME] | revoke NAME]",
		Short: "lists the registration tokens, makes one, or makes one invalid",
		Long: "With a registration token people make their accounts themselves. A token is shown once, on a card; afterwards it goes by its first letters. " +
			"adduser --token makes one for a friend and invites, too.",
		Example:     "tokens new --uses 3 --for 24h",
		Annotations: map[string]string{laneKey: peopleLane, jsonKey: "yes", recordKey: "1"},
	}
	cmd.RunE = r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
		switch {
		case len(args) == 0:
			return listTokens(ctx, r)
		case args[0] == "new" && len(args) == 1:
			return newToken(ctx, r, uses, valid)
		case args[0] == "revoke" && len(args) == 2:
			return revokeToken(ctx, r, args[1])
		}
		return reply.Answer{}, usageError(r.request, cmd, Sorry("say tokens alone, tokens new, or tokens revoke with the first letters of a token"))
	})
	cmd.Flags().IntVar(&uses, "uses", uses, "how many accounts the token may make: a `number`")
	cmd.Flags().DurationVar(&valid, "for", valid, "how long it is good, such as 48h: a `time`")
	return cmd
}

// tokenRow is one token for programs, without being it.
type tokenRow struct {
	Name    string    `json:"name"`
	Uses    int       `json:"uses"`
	Used    int       `json:"used"`
	Expires time.Time `json:"expires,omitzero"`
	For     string    `json:"for,omitempty"`
}

func listTokens(ctx context.Context, r *run) (reply.Answer, error) {
	driver, err := r.Server(ctx)
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	tokens, err := driver.ListTokens(ctx)
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	guests, err := r.Records.Guests(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	rows := []tokenRow{}
	table := reply.Table{Head: []string{"token", "used", "good until", "for"}}
	for _, token := range tokens {
		row := tokenRow{Name: tokenHandle(token.Token), Uses: token.Terms.Uses, Used: token.Completed, Expires: token.Terms.Expires}
		for _, g := range guests {
			if g.Token == row.Name {
				row.For = g.UserID
			}
		}
		rows = append(rows, row)
		table.Rows = append(table.Rows, []any{reply.Mono("%s…", row.Name), usedText(row), untilText(row.Expires), row.For})
	}
	if len(rows) == 0 {
		return reply.Answer{Doc: reply.Say("There is no valid registration token. ", reply.Mono("%stokens new", prompt(r.request)), " makes one."), Data: rows}, nil
	}
	return reply.Answer{Doc: reply.Doc{table}, Data: rows}, nil
}

func usedText(row tokenRow) string {
	if row.Uses == 0 {
		return fmt.Sprintf("%d times, no limit", row.Used)
	}
	return fmt.Sprintf("%d of %d", row.Used, row.Uses)
}

func untilText(t time.Time) string {
	if t.IsZero() {
		return "for ever"
	}
	return t.Format("2 January 15:04")
}

// newToken makes a token that is nobody's in particular.
func newToken(ctx context.Context, r *run, uses int, valid time.Duration) (reply.Answer, error) {
	switch {
	case uses < 1 || uses > mostFriends:
		return reply.Answer{}, Sorry("--uses takes a number from 1 to %d.", mostFriends)
	case valid < time.Minute || valid > 365*24*time.Hour:
		return reply.Answer{}, Sorry("--for takes a time between 1m and 8760h, such as 48h.")
	}
	driver, err := r.Server(ctx)
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	if err := tokensCount(ctx, driver); err != nil {
		return reply.Answer{}, err
	}
	until := time.Now().Add(valid)
	token, err := driver.NewToken(ctx, homeserver.Terms{Uses: uses, Expires: until})
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	handle := tokenHandle(token.Token)
	ctx, cancel := Outlast(ctx, joinExtra)
	defer cancel()
	secret := Confidence{Lifetime: r.Settings.CardLifetime, Subject: "token:" + handle, Doc: reply.Doc{
		reply.Lines{Items: []reply.Line{{"Address: ", r.Settings.Address(ctx)}, {"Token: ", token.Token.Reveal()}}},
		reply.P(fmt.Sprintf("Good for %d %s until %s. Pass it on; ", uses, plural(uses, "account", "accounts"), untilText(until)), r.ending("")),
	}}
	if err := r.talk.Confide(ctx, secret); err != nil {
		var undo steps
		undo.add("the token", func(ctx context.Context) error { return driver.RevokeToken(ctx, token.Token) })
		return reply.Answer{}, undo.failed(ctx, Because(err, "The token could not be shown."), "Say it again.")
	}
	return reply.Answer{Undo: "tokens revoke " + handle}, nil
}

// revokeToken finds a token by its first letters.
func revokeToken(ctx context.Context, r *run, typed string) (reply.Answer, error) {
	driver, err := r.Server(ctx)
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	tokens, err := driver.ListTokens(ctx)
	if err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	typed = strings.TrimSuffix(typed, "…")
	var found []homeserver.Secret
	for _, token := range tokens {
		if typed != "" && strings.HasPrefix(token.Token.Reveal(), typed) {
			found = append(found, token.Token)
		}
	}
	switch {
	case len(found) == 0:
		return reply.Answer{}, Sorry("No valid token begins with %.12q; %stokens lists them.", typed, prompt(r.request))
	case len(found) > 1:
		return reply.Answer{}, Sorry("%d tokens begin with %.12q: say more of its letters.", len(found), typed)
	}
	if err := driver.RevokeToken(ctx, found[0]); err != nil {
		return reply.Answer{}, peopleProblem(err)
	}
	return reply.Answer{Doc: reply.Say("The token ", reply.Mono("%s…", tokenHandle(found[0])), " makes no account any more.")}, nil
}
