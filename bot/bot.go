// Package bot is the Matrix side: it signs the bot's device, follows the
// server, reads the admin room, and turns messages of owners into requests and
// answers into replies, edits, reactions and files. It knows no command. It
// sends nothing unencrypted: a room that is not encrypted gets no word, but for
// the commands that a server's own admin room takes (adminroom.go).
package bot

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/crypto/verificationhelper"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/store"
)

// Options are what a Bot needs to know.
type Options struct {
	// Homeserver is the address of the Client-Server API.
	Homeserver string
	UserID     string
	// PasswordFile holds the account's password, for the first start.
	PasswordFile string
	// Secrets is the folder (0700) of access token, pickle key and recovery
	// key: apart from the database, so that neither is enough without the other.
	Secrets string
	Store   *store.Store
	// Owners are the accounts that may command.
	Owners []string
	// AdminRoom and ChatRoom are ids of existing rooms; "" lets the bot make them.
	AdminRoom, ChatRoom string
	Log                 *logrus.Entry
	// OwnerJoined is called when an owner is seen in the admin room.
	OwnerJoined func(ctx context.Context, userID string)
}

// Bot is one account in its rooms.
type Bot struct {
	Options
	client   *mautrix.Client
	crypto   *cryptohelper.CryptoHelper
	verifier *verificationhelper.VerificationHelper
	syncer   *syncer
	owners   map[id.UserID]bool
	places   places
	// serverRoom is the homeserver's own admin room, where it has one.
	serverRoom *ServerRoom
	clicks     clicks
	// hearings are where somebody waits for what an account says.
	hearings hearings
	// sending serialises what is encrypted for whom: the library's limit on
	// recipients is one value for all rooms.
	sending turn
	work    *worker
	// made is when this process made the bot, by its own clock.
	made time.Time
	// begun is when the bot began, by the homeserver's clock.
	begun time.Time
	// ready says that the rooms are open.
	ready atomic.Bool
	// keysCame wakes those who wait for room keys.
	keysCame chan id.SessionID
}

// New makes a Bot that is not connected yet.
func New(options Options) *Bot {
	b := &Bot{
		Options:  options,
		made:     time.Now(),
		owners:   map[id.UserID]bool{},
		sending:  make(turn, 1),
		keysCame: make(chan id.SessionID, 64),
	}
	b.work = newWorker(b)
	b.serverRoom = newServerRoom(b)
	for _, owner := range options.Owners {
		b.owners[id.UserID(owner)] = true
	}
	return b
}

// errNotConnected says that the bot has not reached its homeserver since it
// was started.
var errNotConnected = errors.New("not connected to the homeserver yet")

// Connect logs in, makes the device trusted and the rooms ready. It waits for
// a homeserver that does not answer.
func (b *Bot) Connect(ctx context.Context) error {
	if err := b.logIn(ctx); err != nil {
		return err
	}
	if err := b.openCrypto(ctx); err != nil {
		return err
	}
	if err := b.firstSync(ctx); err != nil {
		return err
	}
	if err := b.openRooms(ctx); err != nil {
		return err
	}
	b.ready.Store(true)
	return nil
}

// Run obeys until ctx ends; then it finishes what is being answered and returns.
func (b *Bot) Run(ctx context.Context, commands *command.Commands) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	defer b.work.wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := b.work.start(ctx, commands); err != nil {
		return err
	}
	b.tellDecisions(ctx)
	parts.Go(func() { b.redactDue(ctx) })
	parts.Go(func() { b.expire(ctx) })
	parts.Go(func() { b.readLate(ctx) })
	return b.follow(ctx)
}

// AdminRoomID is the id of the room in which the bot obeys.
func (b *Bot) AdminRoomID() string { return b.places.admin().String() }

// ChatRoomID is the id of the friends' room.
func (b *Bot) ChatRoomID() string { return b.places.chat().String() }

// Token is the bot's access token, for the homeserver's admin interface; "" as
// long as the bot is not in its rooms.
func (b *Bot) Token() string {
	if !b.ready.Load() {
		return ""
	}
	return b.client.AccessToken
}

// Reachable asks the homeserver whether it still knows the bot.
func (b *Bot) Reachable(ctx context.Context) error {
	if !b.ready.Load() {
		return errNotConnected
	}
	_, err := b.client.Whoami(ctx)
	return err
}

func (b *Bot) secret(name string) string { return filepath.Join(b.Secrets, name) }

func (b *Bot) isOwner(user id.UserID) bool { return b.owners[user] }
