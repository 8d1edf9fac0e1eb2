package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// mayPropose lets an account with the role friend propose forwards, as often as
// it likes: what is measured is the way, not the limit.
func mayPropose(ctx context.Context, d *harness.Deployment, binary string) error {
	if err := d.Process.Stop(ctx); err != nil {
		return err
	}
	for old, text := range map[string]string{"may_propose: []": "may_propose: [forward]", "proposals_an_hour: 6": "proposals_an_hour: 100000"} {
		if err := d.SetConfig(old, text); err != nil {
			return err
		}
	}
	if err := d.Run(binary); err != nil {
		return err
	}
	return d.WaitReady(ctx)
}

// proposals measures from a line in the chat room to its proposal in the admin
// room, and from the owner's click to the result in the chat room, beside the
// bare echo.
func proposals(ctx context.Context, d *harness.Deployment, admin *client.Room, peer *peer, n int) error {
	friend, err := befriend(ctx, d, admin)
	if err != nil {
		return err
	}
	defer friend.Client().Close()
	var shown, done, echo []time.Duration
	for i := range warmUp + n {
		first, last, err := proposal(ctx, admin, friend)
		if err != nil {
			return fmt.Errorf("proposal %d: %w", i, err)
		}
		bare, err := ask(ctx, peer.room, "echo, please")
		if err != nil {
			return fmt.Errorf("the peer's round %d: %w", i, err)
		}
		if _, err := ask(ctx, admin, "!unforward 9010"); err != nil {
			return err
		}
		if i >= warmUp {
			shown, done, echo = append(shown, first), append(done, last), append(echo, bare)
		}
	}
	for _, q := range []int{50, 95} {
		line("proposal", fmt.Sprintf("shown_p%d_ms", q), quantile(shown, q), "mautrix", quantile(echo, q))
		line("proposal", fmt.Sprintf("click_to_result_p%d_ms", q), quantile(done, q), "limit", 2000)
	}
	return nil
}

var password = regexp.MustCompile(`(?m)^Password: (\S+)$`)

// befriend makes an account with the role friend, in the chat room.
func befriend(ctx context.Context, d *harness.Deployment, admin *client.Room) (*client.Room, error) {
	turn, err := admin.Say(ctx, "!adduser felix")
	if err != nil {
		return nil, err
	}
	out, err := turn.Final(ctx)
	if err != nil {
		return nil, err
	}
	secret := password.FindStringSubmatch(out.Body)
	if secret == nil {
		return nil, fmt.Errorf("no joining card:\n%s", out.Body)
	}
	if _, err := ask(ctx, admin, "!role felix friend"); err != nil {
		return nil, err
	}
	person, err := d.Person(ctx, "@felix:"+strings.SplitN(string(d.BotUserID), ":", 2)[1], secret[1])
	if err != nil {
		return nil, err
	}
	if _, err := person.Sign(ctx); err != nil {
		return nil, err
	}
	return person.Enter(ctx, d.ChatRoom, d.BotUserID)
}

// proposal is one round: asked, shown, clicked, done.
func proposal(ctx context.Context, admin, friend *client.Room) (shown, done time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	before := len(admin.FromBot())
	turn, err := friend.Say(ctx, "!forward 9010 --for 1h")
	if err != nil {
		return 0, 0, err
	}
	var message client.Event
	err = admin.Client().Record.Wait(ctx, func() bool {
		for _, e := range admin.FromBot()[before:] {
			if e.Type == event.EventMessage.Type && strings.HasPrefix(e.Content.AsMessage().Body, "🙋") {
				message = e
				return true
			}
		}
		return false
	})
	if err != nil {
		return 0, 0, err
	}
	clicked := time.Now()
	if _, err := admin.React(ctx, message.ID, client.Yes); err != nil {
		return 0, 0, err
	}
	out, err := turn.Final(ctx)
	if err != nil || !out.OK {
		return 0, 0, fmt.Errorf("ended with %q (%w)", out.Body, err)
	}
	result := out.Replies[len(out.Replies)-1].Seen
	return message.Seen.Sub(turn.Started), result.Sub(clicked), nil
}

// binaryOf is the program of a deployment whose folder is dir.
func binaryOf(dir string) string { return filepath.Join(dir, "fraktalia") }
