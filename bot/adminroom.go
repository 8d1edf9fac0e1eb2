package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// ServerRoom is the admin room of Tuwunel and Continuwuity, which is not
// encrypted and cannot be: the one place in which the bot says something in
// plain. It says commands there that homeserver's drivers put together of names
// and ids; nothing of a person, and no secret.
type ServerRoom struct {
	bot *Bot

	mu      sync.Mutex
	waiting map[id.EventID]chan string
	early   map[id.EventID]string // answers that came before their command was known to be sent
}

// serverRoomLimit bounds the waiting for the server's answer.
const serverRoomLimit = 30 * time.Second

// ServerRoom gives the server's admin room.
func (b *Bot) ServerRoom() *ServerRoom { return b.serverRoom }

func newServerRoom(b *Bot) *ServerRoom {
	return &ServerRoom{bot: b, waiting: map[id.EventID]chan string{}, early: map[id.EventID]string{}}
}

// Command says a command and waits for the server's answer to it.
func (s *ServerRoom) Command(ctx context.Context, text string) (string, error) {
	if !s.bot.ready.Load() {
		return "", errNotConnected
	}
	room, err := s.enter(ctx)
	if err != nil {
		return "", err
	}
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: "!admin " + text}
	sent, err := s.bot.client.SendMessageEvent(ctx, room, event.EventMessage, content, mautrix.ReqSendEvent{DontEncrypt: true})
	if err != nil {
		return "", s.bot.worldly("say a command in the server's admin room", err)
	}
	return s.await(ctx, sent.EventID)
}

// alias is the room's, the same on every such server.
func (s *ServerRoom) alias() id.RoomAlias {
	return id.NewRoomAlias("admins", s.bot.client.UserID.Homeserver())
}

// server is the account that answers there.
func (s *ServerRoom) server() id.UserID {
	return id.NewUserID("conduit", s.bot.client.UserID.Homeserver())
}

// enter finds the room and joins it, which administrators may.
func (s *ServerRoom) enter(ctx context.Context) (id.RoomID, error) {
	found, err := s.bot.client.ResolveAlias(ctx, s.alias())
	if err != nil {
		return "", s.bot.worldly("find the server's admin room "+s.alias().String(), err)
	}
	if s.bot.isIn(ctx, found.RoomID) {
		return found.RoomID, nil
	}
	if _, err := s.bot.client.JoinRoomByID(ctx, found.RoomID); err != nil {
		return "", s.bot.worldly("join the server's admin room (make the bot's account an administrator there)", err)
	}
	return found.RoomID, nil
}

// await waits for the answer to an event; it may have come already.
func (s *ServerRoom) await(ctx context.Context, sent id.EventID) (string, error) {
	came := make(chan string, 1)
	s.mu.Lock()
	if answer, ok := s.early[sent]; ok {
		came <- answer
		delete(s.early, sent)
	} else {
		s.waiting[sent] = came
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, sent)
	}()
	select {
	case answer := <-came:
		return answer, nil
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(serverRoomLimit):
		return "", errors.New("the server does not answer in its admin room")
	}
}

// mostEarly bounds the answers that nobody has asked for yet.
const mostEarly = 100

// hear takes the server's answers out of what is said in plain. Only the
// server's own account is believed, and only in reply to an event of ours: the
// server alone writes under that name, and anybody may be in the room.
func (s *ServerRoom) hear(ctx context.Context, evt *event.Event) {
	if evt.Sender != s.server() || evt.Type != event.EventMessage {
		return
	}
	content := evt.Content.AsMessage()
	to := content.RelatesTo.GetReplyTo()
	if to == "" {
		return
	}
	answer := content.Body
	if content.MsgType == event.MsgFile { // very long ones come as a file
		text, err := s.download(ctx, content)
		if err != nil {
			s.bot.Log.WithError(err).Warn("could not fetch the server's answer")
			return
		}
		answer = text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if came, ok := s.waiting[to]; ok {
		came <- answer
		delete(s.waiting, to)
		return
	}
	if len(s.early) >= mostEarly {
		clear(s.early)
	}
	s.early[to] = answer
}

func (s *ServerRoom) download(ctx context.Context, content *event.MessageEventContent) (string, error) {
	uri, err := content.URL.Parse()
	if err != nil {
		return "", fmt.Errorf("address of a file: %w", err)
	}
	text, err := s.bot.client.DownloadBytes(ctx, uri)
	return strings.ToValidUTF8(string(text), ""), err
}
