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
	Profile  string   `yaml:"profile"`           // of the catalogue
	Own      []string `yaml:"own,omitempty"`     // more packages, settled: one layer
	Late     []string `yaml:"late,omitempty"`    // more packages, a layer each in the order they were added
	Without  []string `yaml:"without,omitempty"` // packages of the profile that are left out
	Heavy    []string `yaml:"heavy,omitempty"`   // what an owner insisted on: built last, under a limit of memory
	Fragment string   `yaml:"-"`                 // the owner's own instructions, run as root after all packages
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
	if err := checkNames(slices.Concat(s.Own, s.Late, s.Heavy)); err != nil {
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

// HeavyLayers lists what a selection installs last, under a limit of memory.
//
// Errors: *NameError (several joined).
func HeavyLayers(s Selection) ([]Layer, error) {
	var layers []Layer
	for _, name := range s.Heavy {
		layers = append(layers, Layer{Name: name, About: "needs much memory, and an owner insisted on it", Packages: []string{name}})
	}
	return layers, checkNames(s.Heavy)
}

// Installs tells whether an instruction, as an engine repeats it, is this
// layer's.
func (l Layer) Installs(instruction string) bool {
	words := strings.Join(strings.Fields(instruction), " ")
	_, rest, found := strings.Cut(words+" ", "--no-install-recommends "+strings.Join(l.Packages, " ")+" ")
	return found && (rest == "" || strings.HasPrefix(rest, "&&") || strings.HasPrefix(rest, "#"))
}

// Step is the text by which a layer is known again: the same steps on the same
// base are the same cached layers.
func (l Layer) Step() string { return "install " + strings.Join(l.Packages, " ") }

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

// Add puts packages into the selection, each as a late layer, those that are
// known to be heavy apart from the others; those that it has already are passed
// over. It returns those that are new.
func (c Catalog) Add(s Selection, names ...string) (Selection, []string, error) {
	if err := checkNames(names); err != nil {
		return s, nil, err
	}
	s.Late, s.Without, s.Heavy = slices.Clone(s.Late), slices.Clone(s.Without), slices.Clone(s.Heavy)
	heavy := c.HeavyOnes(names...)
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
		if has {
			continue
		}
		added = append(added, name)
		if _, ok := heavy[name]; ok {
			s.Heavy = append(s.Heavy, name)
		} else {
			s.Late = append(s.Late, name)
		}
	}
	return s, added, nil
}

// Remove takes packages out of the selection and returns those that it had.
func (c Catalog) Remove(s Selection, names ...string) (Selection, []string, error) {
	s.Own, s.Late, s.Without, s.Heavy = slices.Clone(s.Own), slices.Clone(s.Late), slices.Clone(s.Without), slices.Clone(s.Heavy)
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
		s.Own, s.Late, s.Heavy = slices.DeleteFunc(s.Own, same), slices.DeleteFunc(s.Late, same), slices.DeleteFunc(s.Heavy, same)
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
	in := func(l Layer) bool { return slices.Contains(l.Packages, name) }
	return slices.Contains(s.Heavy, name) || slices.ContainsFunc(layers, in), err
}

// Unlimited names the heavy packages that a selection has outside of Heavy, as
// when somebody wrote them there by hand.
func (c Catalog) Unlimited(s Selection) []string {
	return slices.Sorted(maps.Keys(c.HeavyOnes(slices.Concat(s.Own, s.Late)...)))
}

// Limited moves those to Heavy.
func (c Catalog) Limited(s Selection) Selection {
	heavy := c.Unlimited(s)
	is := func(name string) bool { return slices.Contains(heavy, name) }
	s.Own, s.Late = slices.DeleteFunc(slices.Clone(s.Own), is), slices.DeleteFunc(slices.Clone(s.Late), is)
	s.Heavy = append(slices.Clone(s.Heavy), heavy...)
	return s
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
