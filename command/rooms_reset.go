package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/crashpoint"
	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
)

func (r *run) resetRoomCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "reset-room ROOM [--yes]",
		Short: "empties a room: its files, its history, and the session of the agent in it",
		Long: "The room stays, with its members, name and settings. Files go first, then what was said, then the agent's session. Shows first what will go; what is deleted cannot be brought back. " +
			"Stopped half-way, say it again: it goes on where it stopped.",
		Example: "reset-room Friends",
		Aliases: []string{"resetroom"},
		Args:    some("a room: its id, alias or name"),
		Annotations: map[string]string{
			laneKey:        roomsLane,
			jsonKey:        "yes",
			interruptedKey: "Files, history and session may be deleted in part. Say it again: it shows what is left, and goes on there.",
		},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			return resetRoom(ctx, r, strings.Join(args, " "), yes)
		}),
	}
	skipsQuestion(cmd, &yes)
	return cmd
}

// longRoom is how many events are looked at without telling how it goes.
const longRoom = 3000

// reset is a room on its way to being empty.
type reset struct {
	*run
	driver   homeserver.Driver
	room     homeserver.Room
	media    []homeserver.Media
	foreign  int // files that were named by others than those who uploaded them
	content  RoomContent
	read     bool // the bot is in the room, so content is known
	sessions []agentSessions
	receipt  resetReceipt
}

// agentSessions are those of one agent in the room.
type agentSessions struct {
	agent   string
	keys    []string
	unknown error // why they are not known
}

// resetReceipt is what was done, for programs.
type resetReceipt struct {
	Room     string   `json:"room"`
	Name     string   `json:"name"`
	Files    int      `json:"files_deleted"`
	Gone     int      `json:"files_gone_before"`
	Messages int      `json:"messages_deleted"` // -1 where nobody could count them
	Unread   int      `json:"messages_unread"`  // whose files, if any, stay
	Sessions []string `json:"sessions_deleted"`
	Left     []string `json:"left"` // what could not be deleted
}

func resetRoom(ctx context.Context, r *run, text string, yes bool) (reply.Answer, error) {
	room, err := r.findRoom(ctx, text)
	if err != nil {
		return reply.Answer{}, err
	}
	if admin, _ := r.Rooms.OwnRooms(); room.ID == admin {
		return reply.Answer{}, Sorry("The admin room holds the commands and their receipts, so I do not empty it.")
	}
	x := &reset{run: r, room: room, receipt: resetReceipt{Room: room.ID, Name: room.Name, Sessions: []string{}, Left: []string{}}}
	if err := x.look(ctx); err != nil {
		return reply.Answer{}, homeserverProblem(err)
	}
	if x.empty() {
		return reply.Answer{Doc: reply.Say(reply.Bold("%s", x.title()), " is empty already; nothing was deleted."), Data: x.receipt}, nil
	}
	sure, err := r.confirm(ctx, yes, x.question())
	if err != nil {
		return reply.Answer{}, err
	}
	if !sure {
		return reply.Answer{}, Sorry("Not done; nothing was deleted.")
	}
	if err := x.clear(ctx); err != nil {
		return reply.Answer{}, x.halfWay(ctx, err)
	}
	return reply.Answer{Doc: x.done(), Data: x.receipt}, nil
}

func (x *reset) title() string { return orElse(x.room.Name, x.room.ID) }

// look finds out what there is to delete. It changes nothing.
func (x *reset) look(ctx context.Context) (err error) {
	if x.driver, err = x.Server(ctx); err != nil {
		return err
	}
	for _, needed := range []homeserver.Ability{homeserver.CanPurgeHistory, homeserver.CanMedia} {
		if !slices.Contains(x.driver.Can(), needed) {
			return homeserver.ErrUnsupported{Kind: x.driver.Kind(), Ability: needed}
		}
	}
	if err := x.driver.Prove(ctx); err != nil {
		return err
	}
	x.content, err = x.Rooms.ReadRoom(ctx, x.room.ID, func(events int) {
		if events < longRoom {
			return // the answer shall stand below the question, not above
		}
		x.talk.Update(reply.Sayf("Looking through %s: %d events …", x.title(), events))
	})
	x.read = err == nil
	if err != nil && !errors.As(err, new(*NotInRoom)) {
		return err
	}
	if err := x.findFiles(ctx); err != nil {
		return err
	}
	for _, agent := range x.boundAgents()[x.room.ID] {
		keys, err := x.Rooms.RoomSessions(ctx, agent, x.room.ID)
		x.sessions = append(x.sessions, agentSessions{agent, keys, err})
	}
	return ctx.Err()
}

// findFiles finds the files that go: those that their own uploaders named in
// the room. A file that was passed on belongs to where it came from, and who
// names a stranger's file must not have it deleted.
func (x *reset) findFiles(ctx context.Context) error {
	uploads := map[string][]homeserver.Media{} // by account
	var looked []string
	for _, file := range x.content.Files {
		if slices.Contains(looked, file.MXC+file.Sender) || slices.Contains(x.content.Kept, file.MXC) || !strings.HasPrefix(file.MXC, "mxc://"+x.Settings.ServerName+"/") {
			continue
		}
		looked = append(looked, file.MXC+file.Sender)
		if _, known := uploads[file.Sender]; !known {
			list, err := x.driver.UserMedia(ctx, file.Sender)
			if err != nil && !errors.As(err, new(homeserver.ErrNotFound)) {
				return err
			}
			uploads[file.Sender] = list
		}
		at := slices.IndexFunc(uploads[file.Sender], func(m homeserver.Media) bool { return m.MXC == file.MXC })
		if at < 0 {
			x.foreign++
			continue
		}
		x.media = append(x.media, uploads[file.Sender][at])
	}
	return nil
}

func (x *reset) empty() bool {
	for _, s := range x.sessions {
		if len(s.keys) > 0 || s.unknown != nil {
			return false
		}
	}
	// The newest event stays for ever: the room hangs on it.
	return x.read && x.content.Messages <= 1 && len(x.media) == 0
}

// question says what will go and what will stay.
func (x *reset) question() reply.Doc {
	var items []reply.Line
	if x.read {
		items = append(items, reply.Line{counted(len(x.media), "file") + ", " + units.HumanSize(float64(x.size()))}, reply.Line{counted(x.content.Messages, "message")})
	} else {
		items = append(items, reply.Line{"all that was said (I am not in the room, so I cannot count it)"})
	}
	for _, s := range x.sessions {
		switch {
		case s.unknown != nil:
			items = append(items, reply.Line{"not the session of " + s.agent + ": " + sessionReason(s.unknown)})
		case len(s.keys) > 0:
			items = append(items, reply.Line{fmt.Sprintf("%s of %s (OpenClaw keeps an archive of what it deletes)", counted(len(s.keys), "session"), s.agent)})
		}
	}
	doc := reply.Doc{reply.P("Empty ", reply.Bold("%s", x.title()), "? This goes, for good:"), reply.List{Items: items}}
	return append(doc, x.stays()...)
}

func (x *reset) size() (bytes int64) {
	for _, m := range x.media {
		bytes += m.Size
	}
	return bytes
}

// stays is told before and after: a receipt that keeps quiet about it would lie.
func (x *reset) stays() reply.Doc {
	doc := reply.Doc{reply.P("The room stays, with its members, name and settings, and the newest event, on which the server hangs the room.")}
	if !x.read {
		return append(doc, reply.P("I am not in the room, so I do not know its files: they stay on the server. Invite me first if they shall go."))
	}
	if x.foreign > 0 {
		doc = append(doc, reply.P(counted(x.foreign, "file"), " passed on from elsewhere, or gone already: left alone."))
	}
	if x.content.Unread > 0 {
		doc = append(doc, reply.P(counted(x.content.Unread, "message"), " I cannot read: said before I came, or their keys never reached me. Files in those stay on the server."))
	}
	return doc
}

// clear deletes, in the order that lets it be done again after any stop: the
// history tells which files there are, so it goes after them.
func (x *reset) clear(ctx context.Context) error {
	until := time.Now()
	ctx, stop := x.talk.Cancelable(ctx)
	defer stop()
	for i, medium := range x.media {
		x.talk.Update(reply.Sayf("Emptying %s: file %d of %d …", x.title(), i+1, len(x.media)))
		err := x.driver.DeleteMedia(ctx, medium.MXC)
		switch {
		case errors.As(err, new(homeserver.ErrNotFound)):
			x.receipt.Gone++
		case err != nil:
			return err
		default:
			x.receipt.Files++
		}
		if i == 0 {
			crashpoint.At("reset.media")
		}
	}
	crashpoint.At("reset.mediadone")
	x.talk.Update(reply.Sayf("Emptying %s: the history …", x.title()))
	if err := x.driver.PurgeHistory(ctx, x.room.ID, until); err != nil {
		return err
	}
	crashpoint.At("reset.history")
	if err := x.count(ctx); err != nil {
		return err
	}
	return x.endSessions(ctx)
}

// count looks what the server has really deleted.
func (x *reset) count(ctx context.Context) error {
	x.receipt.Messages, x.receipt.Unread = -1, x.content.Unread
	if !x.read {
		return nil
	}
	left, err := x.Rooms.ReadRoom(ctx, x.room.ID, func(int) {})
	if err != nil {
		return err
	}
	x.receipt.Messages = max(x.content.Messages-left.Messages, 0)
	return nil
}

func (x *reset) endSessions(ctx context.Context) error {
	for _, s := range x.sessions {
		if s.unknown != nil {
			x.receipt.Left = append(x.receipt.Left, "the session of "+s.agent+": "+sessionReason(s.unknown))
			continue
		}
		if len(s.keys) == 0 {
			continue
		}
		x.talk.Update(reply.Sayf("Emptying %s: the session of %s …", x.title(), s.agent))
		if err := x.Rooms.DeleteSessions(ctx, s.agent, s.keys); err != nil {
			x.receipt.Left = append(x.receipt.Left, "the session of "+s.agent+": "+sessionReason(err))
			continue
		}
		x.receipt.Sessions = append(x.receipt.Sessions, s.keys...)
	}
	crashpoint.At("reset.sessions")
	return nil
}

func sessionReason(err error) string {
	var none *NoOpenClaw
	if errors.As(err, &none) {
		return none.Err.Error()
	}
	return "OpenClaw did not do it, the log says why"
}

// done is the receipt.
func (x *reset) done() reply.Doc {
	doc := reply.Doc{reply.P(reply.Bold("%s", x.title()), " is empty. Deleted: ", strings.Join(x.deleted(), ", "), ".")}
	for _, left := range x.receipt.Left {
		doc = append(doc, reply.P("⚠️ Left: "+left+"."))
	}
	return append(doc, x.stays()...)
}

func (x *reset) deleted() []string {
	list := []string{counted(x.receipt.Files, "file")}
	if x.receipt.Gone > 0 {
		list[0] += fmt.Sprintf(" (%d more were gone already)", x.receipt.Gone)
	}
	switch {
	case x.receipt.Messages > 0:
		list = append(list, counted(x.receipt.Messages, "message"))
	case x.receipt.Messages < 0:
		list = append(list, "all that was said")
	}
	if n := len(x.receipt.Sessions); n > 0 {
		list = append(list, counted(n, "session"))
	}
	return list
}

// halfWay tells how far it came.
func (x *reset) halfWay(ctx context.Context, err error) error {
	var problem *Problem
	why := "That did not work; the log says why."
	switch words := homeserverProblem(err); {
	case errors.Is(err, context.Canceled) && ctx.Err() == nil:
		why = "Stopped, as you said."
	case errors.As(err, new(homeserver.ErrUnreachable)):
		why = "The homeserver does not answer any more."
	case errors.As(words, &problem):
		why = problem.Sentence
	}
	return Because(err, "%s Deleted so far: %s of %d. The history and the agent's session are untouched or deleted in part: say it again, and it goes on from there.",
		why, counted(x.receipt.Files, "file"), len(x.media))
}

func counted(n int, what string) string { return fmt.Sprintf("%d %s", n, plural(n, what, what+"s")) }
