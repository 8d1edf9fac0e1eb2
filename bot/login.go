package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

// session is what stays between starts; it lies in a 0600 file.
type session struct {
	UserID   id.UserID   `json:"user_id"`
	DeviceID id.DeviceID `json:"device_id"`
	Token    string      `json:"access_token"`
}

// retries is how often a request is repeated on 429 and 5xx, after the time
// that the server asks for. The library's default is not to repeat at all.
const retries = 6

// logIn takes up the session of the last start, or begins one.
func (b *Bot) logIn(ctx context.Context) error {
	client, err := mautrix.NewClient(b.Homeserver, id.UserID(b.UserID), "")
	if err != nil {
		return fmt.Errorf("matrix client: %w", err)
	}
	client.Log = zerologTo(b.Log)
	client.DefaultHTTPRetries = retries
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
	return b.freshSession(ctx, saved.DeviceID)
}

// serverTime is the homeserver's clock, which also dates the events of its own
// users; ours where it does not tell.
func serverTime(header http.Header) time.Time {
	if told, err := http.ParseTime(header.Get("Date")); err == nil {
		return told
	}
	return time.Now()
}

// freshSession logs in by password, as the same device where there was one.
func (b *Bot) freshSession(ctx context.Context, device id.DeviceID) error {
	password, err := readSecret(b.PasswordFile)
	if err != nil {
		return fmt.Errorf("the bot's password is needed to log in: %w", err)
	}
	var answer *mautrix.RespLogin
	err = b.patiently(ctx, "log in", func() (err error) {
		answer, err = b.client.Login(ctx, &mautrix.ReqLogin{
			Type:                     mautrix.AuthTypePassword,
			Identifier:               mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: b.UserID},
			Password:                 password,
			DeviceID:                 device,
			InitialDeviceDisplayName: "Fraktalia",
			StoreCredentials:         true,
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("log in as %s: %w", b.UserID, err)
	}
	text, err := json.Marshal(session{answer.UserID, answer.DeviceID, answer.AccessToken})
	if err != nil {
		return err
	}
	return writeSecret(b.secret("bot-session.json"), string(text))
}

func (b *Bot) savedSession() (s session, err error) {
	text, err := readSecret(b.secret("bot-session.json"))
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

// unreachable tells a server that is away from one that said no.
func unreachable(err error) bool {
	var final refusal
	if errors.As(err, &final) {
		return false
	}
	var answer mautrix.HTTPError
	if !errors.As(err, &answer) {
		return true
	}
	return answer.RespError == nil && (answer.Response == nil || answer.Response.StatusCode >= 500)
}

func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

// writeSecret replaces a secret's file as a whole, mode 0600.
func writeSecret(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
