package docker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Selection is what one deployment has in its image: a profile of the
// catalogue, changed by hand.
type Selection struct {
	Profile  string   `yaml:"profile"`            // of the catalogue
	Own      []string `yaml:"own,omitempty"`      // more packages, settled: one layer
	Late     []string `yaml:"late,omitempty"`     // more packages, a layer each in the order they were added
	Without  []string `yaml:"without,omitempty"`  // packages of the profile that are left out
	Fragment string   `yaml:"fragment,omitempty"` // the owner's own instructions, run as root after all packages
}

// ProfileError says that there is no such profile.
type ProfileError struct {
	Name  string
	Known []string // sorted
}

func (e *ProfileError) Error() string {
	return fmt.Sprintf("no profile %q, there are %s", e.Name, strings.Join(e.Known, ", "))
}

// Layer is a step of the image that installs packages together.
type Layer struct {
	Name     string
	About    string
	Packages []string
	Programs []string // as in Group
}

// Layers lists what a selection installs, in the order of the image.
//
// Errors: *ProfileError, *NameError (several joined).
func (c Catalog) Layers(s Selection) ([]Layer, error) {
	groups, known := c.Profiles[s.Profile]
	if !known {
		return nil, &ProfileError{Name: s.Profile, Known: slices.Sorted(maps.Keys(c.Profiles))}
	}
	if err := checkNames(slices.Concat(s.Own, s.Late)); err != nil {
		return nil, err
	}
	layers := c.groupLayers(groups, s.Without)
	if len(s.Own) > 0 {
		layers = append(layers, Layer{Name: "own", About: "what this deployment added", Packages: sortedSet(s.Own)})
	}
	for _, name := range s.Late {
		layers = append(layers, Layer{Name: name, About: "added since", Packages: []string{name}})
	}
	return layers, nil
}

// groupLayers keeps the catalogue's order, whatever the profile's is: the same
// groups are the same cached layers.
func (c Catalog) groupLayers(names, without []string) []Layer {
	var layers []Layer
	for _, group := range c.Groups {
		if !slices.Contains(names, group.Name) {
			continue
		}
		layer := Layer{Name: group.Name, About: group.About, Programs: group.Programs}
		for _, name := range sortedSet(group.Packages) {
			if !slices.Contains(without, name) {
				layer.Packages = append(layer.Packages, name)
			}
		}
		if len(layer.Packages) < len(group.Packages) {
			layer.Programs = nil // nobody knows which of them are left
		}
		if len(layer.Packages) > 0 {
			layers = append(layers, layer)
		}
	}
	return layers
}

// Add puts packages into the selection, each as a late layer; those that it
// has already are passed over. It returns those that are new.
func (c Catalog) Add(s Selection, names ...string) (Selection, []string, error) {
	if err := checkNames(names); err != nil {
		return s, nil, err
	}
	s.Late, s.Without = slices.Clone(s.Late), slices.Clone(s.Without)
	var added []string
	for _, name := range sortedSet(names) {
		if at := slices.Index(s.Without, name); at >= 0 {
			s.Without = slices.Delete(s.Without, at, at+1)
			added = append(added, name)
			continue
		}
		has, err := c.Has(s, name)
		if err != nil {
			return s, nil, err
		}
		if !has {
			s.Late = append(s.Late, name)
			added = append(added, name)
		}
	}
	return s, added, nil
}

// Remove takes packages out of the selection and returns those that it had.
func (c Catalog) Remove(s Selection, names ...string) (Selection, []string, error) {
	s.Own, s.Late, s.Without = slices.Clone(s.Own), slices.Clone(s.Late), slices.Clone(s.Without)
	var removed []string
	for _, name := range sortedSet(names) {
		has, err := c.Has(s, name)
		if err != nil {
			return s, nil, err
		}
		if !has {
			continue
		}
		same := func(other string) bool { return other == name }
		s.Own, s.Late = slices.DeleteFunc(s.Own, same), slices.DeleteFunc(s.Late, same)
		if has, _ = c.Has(s, name); has {
			s.Without = append(s.Without, name)
		}
		removed = append(removed, name)
	}
	return s, removed, nil
}

// Has tells whether a selection installs a package by its name.
func (c Catalog) Has(s Selection, name string) (bool, error) {
	layers, err := c.Layers(s)
	return slices.ContainsFunc(layers, func(l Layer) bool { return slices.Contains(l.Packages, name) }), err
}

// Settled folds the late packages into the own layer: fewer layers for a
// rebuild from there on.
func (s Selection) Settled() Selection {
	s.Own, s.Late = sortedSet(slices.Concat(s.Own, s.Late)), nil
	return s
}

func sortedSet(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
