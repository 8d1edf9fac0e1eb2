package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/githabideri/fraktalia/secretfile"
)

// announcement is what `up --json` prints.
type announcement struct {
	Homeserver string `json:"homeserver"`
	Public     string `json:"public_address,omitempty"` // where friends reach it, if elsewhere
	Owner      owner  `json:"owner"`
	BotUserID  string `json:"bot_user_id"`
	AdminRoom  string `json:"admin_room"`
	ChatRoom   string `json:"chat_room"`
	Agent      string `json:"agent,omitempty"` // the account of the one that was brought
	DataDir    string `json:"data_dir"`
	Socket     string `json:"socket"`
}

type owner struct {
	UserID   string  `json:"user_id"`
	Password *string `json:"password"` // null once it is no longer on file
}

// announce prints how to log in.
func (p *program) announce(ctx context.Context, d *deployment, agent string, asJSON bool) {
	a := announcement{
		Homeserver: d.config.Homeserver.Address, Owner: owner{UserID: d.config.Owners[0]}, BotUserID: d.config.Bot.UserID,
		AdminRoom: d.bot.AdminRoomID(), ChatRoom: d.bot.ChatRoomID(), DataDir: d.config.Data, Socket: socketIn(d.config.Data), Agent: agent,
	}
	if public := d.addresses.Address(ctx).URL; public != a.Homeserver {
		a.Public = public
	}
	if password, err := secretfile.Read(firstPasswordFile(d.config.Data)); err == nil {
		a.Owner.Password = &password
	}
	if asJSON {
		_ = json.NewEncoder(p.stdout).Encode(a) // nobody is left to tell
		return
	}
	a.print(p.stdout)
}

func (a announcement) print(out io.Writer) {
	fmt.Fprintf(out, "\nYour homeserver is up, and the bot is in its room.\n\n  Address   %s\n", a.Homeserver)
	if a.Public != "" {
		fmt.Fprintf(out, "            %s from other machines\n", a.Public)
	}
	fmt.Fprintf(out, "  User      %s\n", a.Owner.UserID)
	switch file := firstPasswordFile(a.DataDir); {
	case a.Owner.Password == nil:
	case isTerminal(out):
		fmt.Fprintf(out, "  Password  %s\n\nThe password is kept in %s until you have logged in.\n", *a.Owner.Password, file)
	default: // a file, or systemd's journal, which others read and which keeps it
		fmt.Fprintf(out, "  Password  is in %s until you have logged in\n", file)
	}
	if a.Agent != "" {
		fmt.Fprintf(out, "\nThe agent %s answers in the room \"Friends\": accept its invitation, and say hello.\n", a.Agent)
	}
	fmt.Fprint(out, "\nLog in with a Matrix client such as Element, accept the invitation to the room\n\"Fraktalia\", and try\n\n",
		"  !status\n  !forward 9005\n  !adduser alice\n\nCtrl-C stops everything; the same command starts it again.\n")
}
