package command

import (
	"context"

	"github.com/githabideri/fraktalia/store"
)

// Records is the program's own record, as far as commands write it.
type Records interface {
	SaveForward(ctx context.Context, f store.Forward) error
	DeleteForward(ctx context.Context, port int) error
	Forwards(ctx context.Context) ([]store.Forward, error)
	SavePerson(ctx context.Context, p store.Person) error
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
