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
	SaveBuild(ctx context.Context, b store.Build) error
}
