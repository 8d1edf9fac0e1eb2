package bot

import (
	"errors"
	"strings"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// What the bot says by itself. Everything else is said by commands.

func awayFor(away time.Duration) reply.Doc {
	return reply.Sayf("The homeserver did not answer me for %s; I am back. What you typed meanwhile is run now.", away.Round(time.Second))
}

func restoredNotice(n int) reply.Doc {
	return reply.Sayf("My database is an older copy: %d %s in this room that I have run before and did not run again.", n, plural(n))
}

func strangerNotice(who id.UserID) reply.Doc {
	return reply.Say("⚠️ ", who, " is in this room now, and is no owner. I do not obey them, but they can read what is said from here on.")
}

func refusalNotice(owner id.UserID, reason error) reply.Doc {
	switch {
	case errors.Is(reason, errIdentity):
		return reply.Say("The identity of ", owner, " has changed since I first saw it, so I do not obey it. If that was you, type ",
			reply.Mono("fraktalia trust %s", owner), " in the machine's shell. If it was not, somebody else is in your account.")
	case errors.Is(reason, errUnsigned):
		return reply.Say("That came from a device of yours that is not verified, so I did not run it. Verify the device in your client, and say it again.")
	case errors.Is(reason, errForwarded):
		return reply.Say("I could read that only with a key passed on by another device, so I did not run it. Say it again.")
	}
	return reply.Say("I do not know the device that sent this, so I did not run it. Say it again in a minute.")
}

func oldNotice(row store.Command) reply.Doc {
	return reply.Say("While I was away you typed ", reply.Mono("%s", short(command.Recorded(row.Line))), ", ", time.Since(row.SentAt).Round(time.Minute), " ago. Run it now?")
}

func interruptedNotice(row store.Command) reply.Doc {
	doc := reply.Say("I was stopped while I ran ", reply.Mono("%s", short(command.Recorded(row.Line))), ", and I do not run it again by myself. ",
		"Part of it may be done: look with ", reply.Mono("!status"), ", and say it again if it is still needed.")
	if more := command.Interrupted(row.Line); more != "" {
		doc = append(doc, reply.P(more))
	}
	return doc
}

func unreadNotice() reply.Doc {
	return reply.Say("I could not decrypt this message, and its key has not come. Say it again.")
}

func greeting() reply.Doc {
	return reply.Doc{
		reply.P("Hello. I look after this deployment: type a line that begins with ", reply.Mono("!"), " in this room, and I do it. For example"),
		reply.List{Items: []reply.Line{
			{reply.Mono("!status"), "  how everything is"},
			{reply.Mono("!forward 9005"), "  opens a port to the agent's sandbox"},
			{reply.Mono("!adduser alice"), "  gives a friend an account"},
		}},
		reply.P(reply.Mono("!help"), " lists all of it. I obey the owners only, in this room only."),
	}
}

// sentences makes a Doc of text that may have a usage line below it.
func sentences(text string) reply.Doc {
	first, usage, ok := strings.Cut(text, "\nUsage: ")
	if !ok {
		return reply.Say(text)
	}
	return reply.Doc{reply.Lines{Items: []reply.Line{{first}, {"Usage: ", reply.Mono("%s", usage)}}}}
}

func plural(n int) string {
	if n == 1 {
		return "command stands"
	}
	return "commands stand"
}

// short is a line that may be quoted.
func short(line string) string {
	const most = 200
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return line
}

// what people call a room.
func (k kind) what() string {
	if k.purpose == adminKind.purpose {
		return "admin room"
	}
	return "chat room"
}

func upgradeNotice(k kind, next id.RoomID) reply.Doc {
	return reply.Say("The ", k.what(), " has been upgraded: it goes on as ", reply.Mono("%s", next), ". I go along when an owner invites me there; until then I stay here.")
}

func notMovedNotice(k kind, room id.RoomID, reason error) reply.Doc {
	why := "the log says why"
	switch {
	case errors.Is(reason, errNotHeir), errors.Is(reason, errOpenRoom):
		why = reason.Error()
	case errors.Is(reason, errPlain):
		why = "it is not encrypted"
	}
	return reply.Say("⚠️ I do not go along to ", reply.Mono("%s", room), " as the ", k.what(), ": ", why, ".")
}

func movedNotice(k kind, powerful bool) reply.Doc {
	doc := reply.Say("I have gone along with the upgraded chat room: friends are invited to the new one from here on.")
	if k.purpose == adminKind.purpose {
		doc = reply.Say("I have come along: this is the admin room from here on. In the old one I do not listen any more.")
	}
	if !powerful {
		doc = append(doc, reply.P("⚠️ The new room gives me no power, so I can invite nobody to it. Make me an administrator in the room's settings."))
	}
	return doc
}
