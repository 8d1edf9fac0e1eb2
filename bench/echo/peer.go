package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

// peer is what the bot is measured against: mautrix as its documentation shows
// it, with its own sync loop and its crypto helper, answering a message in the
// handler and doing nothing else. Like the bot it puts ✅ under what it has
// answered, after the answer.
type peer struct {
	room   *client.Room // as the owner sees the peer
	matrix *mautrix.Client
	crypto *cryptohelper.CryptoHelper
	stop   context.CancelFunc
	ended  chan error
}

var passwordLine = regexp.MustCompile(`(?m)^Password: (\S+)$`)

// startPeer makes an account, has the owner invite it to the admin room, and
// lets it echo there.
func startPeer(ctx context.Context, d *harness.Deployment, owner *client.Client, dir string) (*peer, error) {
	card, said, err := d.Shell(ctx, nil, "adduser", "echo")
	password := passwordLine.FindStringSubmatch(card)
	if err != nil || password == nil {
		return nil, fmt.Errorf("an account for the peer: %w\n%s", err, said)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	user := id.UserID("@echo:" + harness.ServerName)
	p := &peer{ended: make(chan error, 1)}
	if err := p.login(ctx, d, user, password[1], dir); err != nil {
		return nil, fmt.Errorf("the peer: %w", err)
	}
	if _, err := owner.Raw().InviteUser(ctx, d.AdminRoom, &mautrix.ReqInviteUser{UserID: user}); err != nil {
		return nil, fmt.Errorf("invite the peer: %w", err)
	}
	if err := p.enter(ctx, d.AdminRoom); err != nil {
		return nil, fmt.Errorf("the peer: %w", err)
	}
	p.room, err = owner.Enter(ctx, d.AdminRoom, user)
	return p, err
}

func (p *peer) login(ctx context.Context, d *harness.Deployment, user id.UserID, password, dir string) (err error) {
	if p.matrix, err = mautrix.NewClient(d.Homeserver, "", ""); err != nil {
		return err
	}
	pickle := make([]byte, 32)
	if _, err := rand.Read(pickle); err != nil {
		return err
	}
	if p.crypto, err = cryptohelper.NewCryptoHelper(p.matrix, pickle, filepath.Join(dir, "peer.db")); err != nil {
		return err
	}
	p.crypto.LoginAs = &mautrix.ReqLogin{
		Type: mautrix.AuthTypePassword, Identifier: mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: string(user)},
		Password: password, StoreCredentials: true,
	}
	p.matrix.Syncer.(mautrix.ExtensibleSyncer).OnEventType(event.EventMessage, p.echo)
	if err := p.crypto.Init(ctx); err != nil {
		return err
	}
	p.matrix.Crypto = p.crypto
	return nil
}

func (p *peer) enter(ctx context.Context, room id.RoomID) error {
	if _, err := p.matrix.JoinRoomByID(ctx, room); err != nil {
		return err
	}
	if _, err := p.matrix.State(ctx, room); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	p.stop = stop
	go func() { p.ended <- p.matrix.SyncWithContext(running) }()
	return nil
}

// echo answers in the handler.
func (p *peer) echo(ctx context.Context, evt *event.Event) {
	message := evt.Content.AsMessage()
	if evt.Sender == p.matrix.UserID || !strings.HasPrefix(message.Body, "echo") {
		return
	}
	answer := &event.MessageEventContent{MsgType: event.MsgNotice, Body: message.Body}
	answer.SetReply(evt)
	if _, err := p.matrix.SendMessageEvent(ctx, evt.RoomID, event.EventMessage, answer); err != nil {
		fmt.Fprintln(os.Stderr, "the peer:", err)
		return
	}
	if _, err := p.matrix.SendReaction(ctx, evt.RoomID, evt.ID, client.Yes); err != nil {
		fmt.Fprintln(os.Stderr, "the peer:", err)
	}
}

func (p *peer) close() {
	p.stop()
	if err := errors.Join(<-p.ended, p.crypto.Close()); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "the peer:", err)
	}
}
