package app

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/githabideri/fraktalia/bot"
	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/openclaw"
)

// sessionLimit bounds one question to OpenClaw's program, which takes seconds.
const sessionLimit = time.Minute

// rooms joins what the bot can do in rooms with OpenClaw's sessions there. It
// implements command.Rooms.
type rooms struct {
	*bot.Bot
	sessions openclaw.Sessions
}

func newRooms(bot *bot.Bot, path string) rooms {
	find := func() (string, error) { return exec.LookPath("openclaw") }
	return rooms{bot, openclaw.Sessions{Program: find, Config: path}}
}

// RoomSessions implements command.Rooms.
func (r rooms) RoomSessions(ctx context.Context, agent, room string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, sessionLimit)
	defer cancel()
	keys, err := r.sessions.InRoom(ctx, agent, room)
	return keys, r.told(err)
}

// DeleteSessions implements command.Rooms.
func (r rooms) DeleteSessions(ctx context.Context, agent string, keys []string) error {
	ctx, cancel := context.WithTimeout(ctx, sessionLimit)
	defer cancel()
	return r.told(r.sessions.Delete(ctx, agent, keys))
}

func (r rooms) told(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, openclaw.ErrNoProgram):
		return &command.NoOpenClaw{Err: openclaw.ErrNoProgram}
	}
	r.Log.WithError(err).Warn("OpenClaw's sessions")
	return err
}
