package command

import (
	"context"
	"time"

	"github.com/githabideri/fraktalia/store"
)

// Records is the program's own record, as far as commands write it.
type Records interface {
	SaveForward(ctx context.Context, f store.Forward) error
	DeleteForward(ctx context.Context, port int, udp bool) error
	Forwards(ctx context.Context) ([]store.Forward, error)
	// EndedForwards are those whose lease is over and not told yet, ToldForward
	// forgets one of them.
	EndedForwards(ctx context.Context) ([]store.Forward, error)
	ToldForward(ctx context.Context, f store.Forward) error
	PeopleRecords
	// BeginBuild records a build before it begins, CandidateBuild what it is
	// about to make live, EndBuild how it ended.
	BeginBuild(ctx context.Context, b store.Build) (id int64, err error)
	CandidateBuild(ctx context.Context, id int64, imageID string) error
	EndBuild(ctx context.Context, b store.Build) error
	// Builds lists the last builds of a tag with their layers, the newest first.
	Builds(ctx context.Context, tag string, most int) ([]store.Build, error)
	// BeginConfigEdit records a change of OpenClaw's configuration before it is
	// written, WroteConfigEdit when it is, DropConfigEdit that it never was.
	BeginConfigEdit(ctx context.Context, e store.ConfigEdit) (id int64, err error)
	WroteConfigEdit(ctx context.Context, id int64, files []store.ConfigFile) error
	DropConfigEdit(ctx context.Context, id int64) error
	JudgeConfigEdit(ctx context.Context, id int64, verdict string) error
	ConfigEdits(ctx context.Context, most int) ([]store.ConfigEdit, error)
	ConfigEdit(ctx context.Context, id int64) (e store.ConfigEdit, ok bool, err error)
	// LastUndoable is the newest command that can be taken back and was not.
	LastUndoable(ctx context.Context) (c store.Command, ok bool, err error)
	MarkUndone(ctx context.Context, id int64) error
}

// PeopleRecords is who was given access.
type PeopleRecords interface {
	SavePerson(ctx context.Context, p store.Person) error
	PersonOf(ctx context.Context, userID string) (p store.Person, ok bool, err error)
	People(ctx context.Context) ([]store.Person, error)
	ForgetPerson(ctx context.Context, userID string) error
	// Guests are those who are on their way in: begun, and not yet in their rooms.
	SaveGuest(ctx context.Context, g store.Guest) error
	GuestOf(ctx context.Context, userID string) (g store.Guest, ok bool, err error)
	Guests(ctx context.Context) ([]store.Guest, error)
	ShowGuests(ctx context.Context, userIDs []string, at time.Time) error
	ForgetGuest(ctx context.Context, userID string) error
	// Vanish takes the messages about a subject out of the room.
	Vanish(ctx context.Context, subject string) error
}
