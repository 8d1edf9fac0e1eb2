package bot

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Attach implements command.Conversation.
func (t *talk) Attach(ctx context.Context, file reply.File) error {
	_, err := t.attach(ctx, file, "file")
	return err
}

// Confide implements command.Conversation.
func (t *talk) Confide(ctx context.Context, doc reply.Doc, lifetime time.Duration) error {
	sent, err := t.bot.reply(ctx, t.room, t.evt, doc, t.part(secretPart))
	if err != nil {
		return err
	}
	crashpoint.At("card.sent")
	return t.vanish(ctx, sent, lifetime)
}

// vanish plans the end of a message that was sent as a secretPart, as soon as
// it stands in the room, and lets an owner's click end it earlier. Killed
// before the plan is written, the program plans it when the sync brings the
// event (noteOwn), by the name of its transaction.
func (t *talk) vanish(ctx context.Context, sent id.EventID, lifetime time.Duration) error {
	due := store.Redaction{EventID: sent.String(), RoomID: t.row.RoomID, DueAt: time.Now().Add(lifetime)}
	if err := t.bot.Store.PlanRedaction(ctx, due); err != nil {
		return err
	}
	return t.bot.mark(ctx, t.room, sent, goneMark)
}

// attach sends a file, encrypted on its way, as the part of that name, and
// returns its event: one sent as secretPart may be given to vanish. A picture
// whose size is known is shown in the room, everything else is offered there.
func (t *talk) attach(ctx context.Context, file reply.File, part string) (id.EventID, error) {
	sealed := attachment.NewEncryptedFile()
	stream := sealed.EncryptStream(file.Body)
	uploaded, err := t.bot.client.UploadMedia(ctx, mautrix.ReqUploadMedia{
		Content: stream, ContentLength: file.Size, ContentType: "application/octet-stream"})
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", file.Name, err)
	}
	if err := stream.Close(); err != nil {
		return "", fmt.Errorf("encrypt %s: %w", file.Name, err)
	}
	content := &event.MessageEventContent{
		MsgType:   event.MsgFile,
		Body:      file.Name,
		Info:      &event.FileInfo{MimeType: file.Type, Size: int(file.Size)},
		File:      &event.EncryptedFileInfo{EncryptedFile: *sealed, URL: uploaded.ContentURI.CUString()},
		RelatesTo: &event.RelatesTo{InReplyTo: &event.InReplyTo{EventID: t.evt}},
	}
	if file.IsPicture() {
		content.MsgType = event.MsgImage
		content.Info.Width, content.Info.Height = file.Width, file.Height
	}
	return t.bot.send(ctx, t.room, content, t.part(part))
}
