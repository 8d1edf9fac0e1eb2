package bot

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/secretfile"
)

// session is what stays between starts; it lies in a 0600 file.
type session struct {
	UserID   id.UserID   `json:"user_id"`
	DeviceID id.DeviceID `json:"device_id"`
	Token    string      `json:"access_token"`
}

const (
	// retries is how often the library repeats a request on 429 and 5xx, after
	// the time that the server asks for; patiently goes on from there.
	retries = 2
	// maxBackOff bounds its own pauses, which double.
	maxBackOff = 5 * time.Second
)

// logIn takes up the session of the last start, or begins one.
func (b *Bot) logIn(ctx context.Context) error {
	client, err := mautrix.NewClient(b.Homeserver, id.UserID(b.UserID), "")
	if err != nil {
		return fmt.Errorf("matrix client: %w", err)
	}
	client.Log = zerologTo(b.Log)
	client.DefaultHTTPRetries = retries
	client.MaxHTTPBackoff = maxBackOff
	client.UserAgent = "Fraktalia " + mautrix.DefaultUserAgent
	b.client = client
	var first sync.Once
	client.ResponseHook = func(_ *http.Request, response *http.Response, _ error, _ time.Duration) {
		if response != nil {
			first.Do(func() { b.begun = serverTime(response.Header) })
		}
	}
	b.syncer = newSyncer()
	client.Syncer = b.syncer
	saved, err := b.savedSession()
	if err != nil {
		return err
	}
	if saved.Token != "" {
		client.AccessToken, client.DeviceID = saved.Token, saved.DeviceID
		err := b.patiently(ctx, "ask who we are", func() error { _, err := client.Whoami(ctx); return err })
		if !errors.Is(err, mautrix.MUnknownToken) {
			return err
		}
		b.Log.Warn("the access token is not known any more; logging in again")
	}
	return b.freshSession(ctx, saved)
}

// serverTime is the homeserver's clock, which also dates the events of its own
// users; ours where it does not tell.
func serverTime(header http.Header) time.Time {
	if told, err := http.ParseTime(header.Get("Date")); err == nil {
		return told
	}
	return time.Now()
}

// freshSession logs in by password, as a new device: the server has dropped the
// keys of the old one with its session. The device's name is written down before,
// so that a start which was killed in between leaves no second one.
func (b *Bot) freshSession(ctx context.Context, s session) error {
	password, err := secretfile.Read(b.PasswordFile)
	if err != nil {
		return fmt.Errorf("the bot's password is needed to log in: %w", err)
	}
	if err := b.forgetDevice(ctx); err != nil {
		return err
	}
	if s.Token != "" || s.DeviceID == "" {
		s = session{DeviceID: id.DeviceID(rand.Text()[:10])}
		if err := b.keepSession(s); err != nil {
			return err
		}
	}
	var answer *mautrix.RespLogin
	err = b.patiently(ctx, "log in", func() (err error) {
		answer, err = b.client.Login(ctx, &mautrix.ReqLogin{
			Type:                     mautrix.AuthTypePassword,
			Identifier:               mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: b.UserID},
			Password:                 password,
			DeviceID:                 s.DeviceID,
			InitialDeviceDisplayName: "Fraktalia",
			StoreCredentials:         true,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("log in as %s: %w", b.UserID, err)
	}
	crashpoint.At("bot.loggedin")
	return b.keepSession(session{answer.UserID, answer.DeviceID, answer.AccessToken})
}

func (b *Bot) keepSession(s session) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return secretfile.Write(b.secret("bot-session.json"), string(text))
}

// forgetDevice drops what belongs to the device of an earlier session. The
// room keys that it was given stay, and so does the bot's identity.
func (b *Bot) forgetDevice(ctx context.Context) error {
	return b.Store.InTransaction(ctx, func(ctx context.Context) error {
		for _, table := range []string{"crypto_account", "crypto_olm_session", "crypto_megolm_outbound_session"} {
			var there int
			err := b.Store.DB.QueryRow(ctx, "SELECT count(*) FROM sqlite_master WHERE type='table' AND name=$1", table).Scan(&there)
			if err == nil && there == 1 {
				_, err = b.Store.DB.Exec(ctx, "DELETE FROM "+table)
			}
			if err != nil {
				return fmt.Errorf("forget the old device: %w", err)
			}
		}
		return nil
	})
}

func (b *Bot) savedSession() (s session, err error) {
	text, err := secretfile.Read(b.secret("bot-session.json"))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("%s is damaged; remove it to log in anew: %w", b.secret("bot-session.json"), err)
	}
	return s, nil
}

// patiently repeats what failed because the homeserver did not answer; what
// the homeserver refused is not repeated.
func (b *Bot) patiently(ctx context.Context, what string, do func() error) error {
	pause := 250 * time.Millisecond
	for {
		err := do()
		if err == nil || ctx.Err() != nil || !unreachable(err) {
			return err
		}
		b.Log.WithError(err).Warnf("the homeserver does not answer (%s); trying again in %s", what, pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 15*time.Second)
	}
}

// unreachable tells a server that is away, or asks to wait, from one that said
// no, and from every trouble of our own.
func unreachable(err error) bool {
	var answer mautrix.HTTPError
	if !errors.As(err, &answer) {
		var network net.Error
		return errors.As(err, &network)
	}
	switch {
	case answer.Response == nil:
		return true
	case answer.RespError != nil && answer.RespError.ErrCode == mautrix.MLimitExceeded.ErrCode:
		return true
	}
	return answer.Response.StatusCode >= http.StatusInternalServerError
}
