package socketproxy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/distribution/reference"
)

// names are names of images in their long form.
type names []string

// NameError says that a text is no name of an image with a tag.
type NameError struct {
	Name string
	Err  error
}

func (e *NameError) Error() string { return fmt.Sprintf("image %q: %v", e.Name, e.Err) }

func (e *NameError) Unwrap() error { return e.Err }

// newNames makes the names of images that may be written short, each with some
// endings to its tag.
func newNames(short []string, endings ...string) (names, error) {
	var list names
	for _, one := range short {
		for _, ending := range endings {
			named, err := reference.ParseNormalizedNamed(one)
			if err != nil {
				return nil, &NameError{one, err}
			}
			tagged, ok := reference.TagNameOnly(named).(reference.NamedTagged)
			if !ok {
				return nil, &NameError{one, errors.New("it names a digest")}
			}
			full, err := reference.WithTag(reference.TrimNamed(named), tagged.Tag()+ending)
			if err != nil {
				return nil, &NameError{one, err}
			}
			list = append(list, full.String())
		}
	}
	return list, nil
}

// has says whether a name is among them. It is no id: those have no tag.
func (n names) has(name string) bool {
	named, err := reference.ParseNormalizedNamed(name)
	return err == nil && slices.Contains(n, reference.TagNameOnly(named).String())
}

// with puts name and tag together as the engine does.
func with(repository, tag string) string {
	if tag == "" {
		return repository
	}
	return repository + ":" + tag
}

func (v *visit) ourTag() error {
	if name := with(v.query.Get("repo"), v.query.Get("tag")); !v.images.has(name) {
		return refuse("%.100q is no name of the sandbox image", name)
	}
	return nil
}

// ourImage judges an image to be removed: a name that we put on it, or an
// image of ours that nobody has given a name.
func (v *visit) ourImage() error {
	if v.images.has(v.name) {
		return nil
	}
	var image struct {
		ID       string `json:"Id"`
		RepoTags []string
		Config   struct{ Labels map[string]string }
	}
	if err := v.look("/images/"+v.name+"/json", &image); err != nil {
		return err
	}
	if image.Config.Labels[labelImage] == "" || len(image.RepoTags) > 0 || image.ID == "" {
		return refuse("the image %.100q is none of ours, or has a name", v.name)
	}
	v.pin(image.ID)
	return nil
}

func (v *visit) ourImport() error {
	if name := with(v.query.Get("repo"), v.query.Get("tag")); !v.imports.has(name) {
		return refuse("%.100q is no name that is imported", name)
	}
	return nil
}

func (v *visit) ourBase() error {
	// Without a tag an engine pulls all that there are.
	if name := with(v.query.Get("fromImage"), v.query.Get("tag")); !v.bases.has(name) || v.query.Get("tag") == "" {
		return refuse("%.100q is not the base image", name)
	}
	return nil
}

func (v *visit) ourBuild() error {
	if name := v.query.Get("t"); !v.builds.has(name) {
		return refuse("a build goes to the sandbox image's candidate, not to %.100q", name)
	}
	if version := v.query.Get("version"); version != "1" && version != "2" {
		return refuse("there is no builder %.20q", version)
	}
	return nil
}
