package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/githabideri/fraktalia/docker"
)

// Recipe is what the sandbox image of this deployment is made of.
type Recipe interface {
	// Selection is what was chosen from the catalogue, with the owner's own
	// instructions. Errors: *RecipeError.
	Selection() (docker.Selection, error)
	// Choose keeps another selection.
	Choose(s docker.Selection) error
	// Own is the owner's own Dockerfile; ok is false where the Dockerfile is made
	// from the selection. Errors: *RecipeError.
	Own() (own OwnDockerfile, ok bool, err error)
	// User is whom the agent's files belong to on this machine, and in the image.
	User(ctx context.Context) (User, error)
}

// OwnDockerfile is a Dockerfile that an owner wrote.
type OwnDockerfile struct {
	Path   string
	Text   string
	Folder fs.FS // what lies beside it
}

// User is a user and a group by their numbers.
type User struct {
	UID, GID int
	From     string // where that is known from, e.g. "the owner of /home/mila/.openclaw/workspace"
	// Others are the owners of further agents' workspaces, as "1001:1001",
	// sorted: their sandboxes run as them.
	Others []string
}

// ids names it, and the others behind it.
func (u User) ids() string {
	return strings.Join(append([]string{fmt.Sprintf("%d:%d", u.UID, u.GID)}, u.Others...), " ")
}

// RecipeError says that a file of the recipe cannot be used.
type RecipeError struct {
	Path string
	Err  error // in words for people
}

func (e *RecipeError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

func (e *RecipeError) Unwrap() error { return e.Err }

// recipeProblem words what is wrong with a recipe.
func (r *run) recipeProblem(err error) error {
	var file *RecipeError
	var profile *docker.ProfileError
	var name *docker.NameError
	switch {
	case errors.As(err, &file):
		return Because(err, "%s cannot be used: %v. Mend it, and say it again; nothing was changed.", file.Path, file.Err)
	case errors.As(err, &profile):
		return Because(err, "There is no profile %.40q; there are %s.", profile.Name, listed(profile.Known))
	case errors.As(err, &name):
		return Because(err, "%.60q cannot be the name of a package: those have small letters, digits, +, - and dots.", name.Name)
	}
	return err
}
