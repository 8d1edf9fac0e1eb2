package bot

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/secretfile"
)

// openCrypto opens the key store and makes the device one that clients trust.
func (b *Bot) openCrypto(ctx context.Context) error {
	pickle, err := b.pickleKey()
	if err != nil {
		return err
	}
	helper, err := cryptohelper.NewCryptoHelper(b.client, pickle, b.Store.DB)
	if err != nil {
		return fmt.Errorf("open the key store: %w", err)
	}
	if err := b.patiently(ctx, "check our keys", func() error { return helper.Init(ctx) }); err != nil {
		return fmt.Errorf("open the key store: %w", err)
	}
	b.crypto, b.client.Crypto = helper, helper
	helper.Machine().SessionReceived = func(_ context.Context, _ id.RoomID, session id.SessionID, _ uint32) {
		select {
		case b.keysCame <- session:
		default: // readLate looks at everything when it next wakes
		}
	}
	if err := b.signDevice(ctx); err != nil {
		return fmt.Errorf("make our device trusted: %w", err)
	}
	b.listen()
	return b.openVerification(ctx)
}

// pickleKey encrypts the keys in the database. Losing it loses them, so it is
// made once and never again.
func (b *Bot) pickleKey() ([]byte, error) {
	path := b.secret("pickle-key")
	text, err := secretfile.Read(path)
	if errors.Is(err, os.ErrNotExist) {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		text = base64.StdEncoding.EncodeToString(key)
		err = secretfile.Write(path, text)
	}
	return []byte(text), err
}

// signDevice publishes the bot's cross-signing identity at the first start and
// signs the device with it. Without it people see a red shield, and clients
// that share keys with signed devices only let the bot hear nothing.
func (b *Bot) signDevice(ctx context.Context) error {
	machine := b.crypto.Machine()
	key, err := secretfile.Read(b.secret("recovery-key"))
	if err == nil {
		return b.patiently(ctx, "fetch our keys", func() error { return machine.VerifyWithRecoveryKey(ctx, key) })
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	password, err := secretfile.Read(b.PasswordFile)
	if err != nil {
		return fmt.Errorf("the bot's password is needed to publish keys: %w", err)
	}
	key, _, err = machine.GenerateAndUploadCrossSigningKeysWithPassword(ctx, password, "")
	if err != nil {
		return err
	}
	crashpoint.At("bot.identity.published")
	if err := secretfile.Write(b.secret("recovery-key"), key); err != nil {
		return err
	}
	if err := machine.SignOwnDevice(ctx, machine.OwnIdentity()); err != nil {
		return err
	}
	return machine.SignOwnMasterKey(ctx)
}
