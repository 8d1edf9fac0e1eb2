package bot

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/reply"
)

// Attach implements command.Conversation.
func (t *talk) Attach(ctx context.Context, file reply.File) error {
	_, err := t.attach(ctx, file, "file", t.bot.seal)
	return err
}

// attach sends a file, encrypted on its way, as the part of that name, and
// returns its event: one sent as secretPart may be given to vanish. A picture
// whose size is known is shown in the room, everything else is offered there.
func (t *talk) attach(ctx context.Context, file reply.File, part string, seal sealer) (id.EventID, error) {
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
		RelatesTo: answerTo(t.evt),
	}
	if file.IsPicture() {
		content.MsgType = event.MsgImage
		content.Info.Width, content.Info.Height = file.Width, file.Height
	}
	return t.bot.sendSealed(ctx, t.room, content, t.part(part), seal)
}
