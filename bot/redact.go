package bot

import (
	"context"
	"slices"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/store"
)

// redactLook is how often the record is looked at for what is due.
const redactLook = 5 * time.Second

// redactDue takes messages out of the room when their time has come, also
// those of an earlier run of the program.
func (b *Bot) redactDue(ctx context.Context) {
	tick := time.NewTicker(redactLook)
	defer tick.Stop()
	for {
		planned, err := b.Store.Redactions(ctx)
		if err != nil && ctx.Err() == nil {
			b.Log.WithError(err).Error("cannot read what is to be redacted")
		}
		for _, r := range planned {
			if !time.Now().Before(r.DueAt) {
				b.redactNow(ctx, r)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// redactOnClick takes a message out of the room before its time, and all about
// the same subject, when an owner reacts to it.
func (b *Bot) redactOnClick(ctx context.Context, evt id.EventID) {
	planned, err := b.Store.Redactions(ctx)
	if err != nil {
		b.Log.WithError(err).Error("cannot read what is to be redacted")
	}
	at := slices.IndexFunc(planned, func(r store.Redaction) bool { return r.EventID == evt.String() })
	if at < 0 {
		return
	}
	clicked := planned[at]
	for _, r := range planned {
		if r.EventID == clicked.EventID || r.Subject != "" && r.Subject == clicked.Subject {
			b.redactNow(ctx, r)
		}
	}
}

func (b *Bot) redactNow(ctx context.Context, r store.Redaction) {
	if err := b.redact(ctx, id.RoomID(r.RoomID), id.EventID(r.EventID)); err != nil {
		b.Log.WithError(err).WithField("event", r.EventID).Warn("could not redact")
		if unreachable(err) || ctx.Err() != nil {
			return
		}
	}
	if err := b.Store.ForgetRedaction(ctx, r.EventID); err != nil {
		b.Log.WithError(err).Error("cannot write what was redacted")
	}
}
