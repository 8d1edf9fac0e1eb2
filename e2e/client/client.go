// Package client is a person at a Matrix client, for the tests: it logs in
// with a password, keeps the keys of one device, reads every event of every
// room it is in, types, clicks and compares emoji.
//
// It owns its connection, its device and its record of what was seen. It knows
// nothing of Fraktalia: what a bot should answer is for the tests to say.
package client

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	_ "github.com/mattn/go-sqlite3" // the driver behind mautrix's crypto store
	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/id"
)

// Options says who logs in, and where.
type Options struct {
	Homeserver string // base address, as http://127.0.0.1:8008
	User       string // local part or full id
	Password   string
	Dir        string // a folder of this device's own, for its keys
	DeviceName string // what other devices of the account are shown
	// Transport leads to the homeserver; nil for the usual way.
	Transport http.RoundTripper
	Log       zerolog.Logger
}

// Client is one logged-in device. Its methods may be called from several
// goroutines.
type Client struct {
	UserID   id.UserID
	DeviceID id.DeviceID
	Record   *Record // everything seen since the login

	matrix   *mautrix.Client
	crypto   *cryptohelper.CryptoHelper
	syncer   *mautrix.DefaultSyncer
	verifier *verifier
	password string

	stop    context.CancelFunc
	stopped chan struct{}

	mu      sync.Mutex
	joined  map[id.RoomID]bool
	invites map[id.RoomID]Invite
	invited map[id.RoomID]int // how often
	syncErr error
}

// Login makes a new device for the account, uploads its keys and starts
// reading. The device is not signed by anybody yet: see Sign and SignWith.
func Login(ctx context.Context, o Options) (*Client, error) {
	matrix, err := mautrix.NewClient(o.Homeserver, "", "")
	if err != nil {
		return nil, fmt.Errorf("homeserver %q: %w", o.Homeserver, err)
	}
	matrix.Log = o.Log
	matrix.DefaultHTTPRetries = 8
	if o.Transport != nil {
		matrix.Client.Transport = o.Transport
	}
	c := &Client{
		Record:   newRecord(),
		matrix:   matrix,
		syncer:   mautrix.NewDefaultSyncer(),
		password: o.Password,
		stopped:  make(chan struct{}),
		joined:   map[id.RoomID]bool{},
		invites:  map[id.RoomID]Invite{},
		invited:  map[id.RoomID]int{},
	}
	matrix.Syncer = c.syncer
	if err := c.openKeys(ctx, o); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	since, err := c.firstSync(running)
	if err != nil {
		stop()
		return nil, fmt.Errorf("first sync of %s: %w", c.UserID, err)
	}
	go c.syncLoop(running, since)
	return c, nil
}

// openKeys logs in and brings up the encryption of the new device.
func (c *Client) openKeys(ctx context.Context, o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("folder of a test device: %w", err)
	}
	pickle := make([]byte, 32)
	if _, err := rand.Read(pickle); err != nil {
		return fmt.Errorf("pickle key: %w", err)
	}
	helper, err := cryptohelper.NewCryptoHelper(c.matrix, pickle, filepath.Join(o.Dir, "keys.db"))
	if err != nil {
		return fmt.Errorf("key store: %w", err)
	}
	helper.LoginAs = &mautrix.ReqLogin{
		Type:                     mautrix.AuthTypePassword,
		Identifier:               mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: o.User},
		Password:                 o.Password,
		InitialDeviceDisplayName: o.DeviceName,
		StoreCredentials:         true,
	}
	c.syncer.OnEvent(c.observe)
	helper.DecryptErrorCallback = c.undecryptable
	helper.CustomPostDecrypt = c.decrypted
	if err := helper.Init(ctx); err != nil {
		return fmt.Errorf("log in as %s: %w", o.User, err)
	}
	c.crypto, c.matrix.Crypto = helper, helper
	c.UserID, c.DeviceID = c.matrix.UserID, c.matrix.DeviceID
	c.verifier, err = newVerifier(ctx, c)
	return err
}

// Close stops reading and closes the key store; the device stays on the
// server. It returns once the reading has ended.
func (c *Client) Close() error {
	c.stop()
	<-c.stopped
	return c.crypto.Close()
}

// Logout removes the device from the server, then closes.
func (c *Client) Logout(ctx context.Context) error {
	_, err := c.matrix.Logout(ctx)
	if closeErr := c.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Raw is the mautrix client underneath, for what this package has no word for.
func (c *Client) Raw() *mautrix.Client { return c.matrix }
