package docker

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Catalog is what can be in the sandbox image: packages.yaml.
type Catalog struct {
	Groups   []Group             `yaml:"groups"`
	Profiles map[string][]string `yaml:"profiles"` // names of groups
	Heavy    []Heavy             `yaml:"heavy"`
}

// Heavy is a family of packages that has broken machines.
type Heavy struct {
	Prefix  string `yaml:"prefix"`  // of the packages' names
	Reason  string `yaml:"reason"`  // why not, for a person
	Instead string `yaml:"instead"` // the way round
}

// Group is one layer of the image.
type Group struct {
	Name     string   `yaml:"name"`
	About    string   `yaml:"about"`
	Packages []string `yaml:"packages"` // of the distribution
	Programs []string `yaml:"programs"` // shell commands that succeed where the group works
}

// Shipped returns the catalogue in the binary.
func Shipped() (Catalog, error) {
	content, err := fs.ReadFile(contexts, "sandbox/packages.yaml")
	if err != nil {
		return Catalog{}, err
	}
	return ReadCatalog(content)
}

// ReadCatalog reads a catalogue and names everything that is wrong with it.
func ReadCatalog(content []byte) (Catalog, error) {
	var c Catalog
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		return Catalog{}, fmt.Errorf("packages.yaml: %w", err)
	}
	if err := c.check(); err != nil {
		return Catalog{}, fmt.Errorf("packages.yaml: %w", err)
	}
	return c, nil
}

// ProfileNames lists the profiles, the smallest first.
func (c Catalog) ProfileNames() []string {
	return slices.SortedStableFunc(maps.Keys(c.Profiles), func(a, b string) int {
		return cmp.Or(len(c.Profiles[a])-len(c.Profiles[b]), strings.Compare(a, b))
	})
}

func (c Catalog) check() error {
	var wrong []error
	home := make(map[string]string) // package -> group
	for _, group := range c.Groups {
		if group.Name == "" || strings.ContainsAny(group.Name+group.About, "\n\r") || c.named(group.Name) > 1 {
			wrong = append(wrong, fmt.Errorf("group %q: a name of its own, and one line about it, are needed", group.Name))
		}
		for _, name := range group.Packages {
			if other, twice := home[name]; twice {
				wrong = append(wrong, fmt.Errorf("package %s is in %s and in %s", name, other, group.Name))
			}
			home[name] = group.Name
		}
		wrong = append(wrong, checkNames(group.Packages))
	}
	for _, profile := range slices.Sorted(maps.Keys(c.Profiles)) {
		for _, name := range c.Profiles[profile] {
			if c.named(name) == 0 {
				wrong = append(wrong, fmt.Errorf("profile %s: there is no group %q", profile, name))
			}
		}
	}
	for _, heavy := range c.Heavy {
		if heavy.Prefix == "" || heavy.Reason == "" {
			wrong = append(wrong, fmt.Errorf("heavy %q: a prefix and a reason are needed", heavy.Prefix))
		}
	}
	return errors.Join(wrong...)
}

// HeavyOnes tells which of these packages are known to break machines, and
// why. Whether an owner may insist is not decided here.
func (c Catalog) HeavyOnes(names ...string) map[string]Heavy {
	found := make(map[string]Heavy)
	for _, name := range names {
		for _, heavy := range c.Heavy {
			if strings.HasPrefix(name, heavy.Prefix) {
				found[name] = heavy
			}
		}
	}
	return found
}

// named counts the groups of a name.
func (c Catalog) named(name string) int {
	n := 0
	for _, group := range c.Groups {
		if group.Name == name {
			n++
		}
	}
	return n
}

// packageName is Debian's rule for package names (policy 5.6.1). It also keeps
// out everything that a shell or apt-get would read as more than a name.
const packageName = `^[a-z0-9][a-z0-9+.-]+$`

// NameError says that a word cannot be the name of a package.
type NameError struct{ Name string }

func (e *NameError) Error() string { return fmt.Sprintf("%q is no name of a package", e.Name) }

func checkNames(names []string) error {
	valid := regexp.MustCompile(packageName)
	var wrong []error
	for _, name := range names {
		// apt-get takes "vim-" for an order to remove vim, where nothing has
		// that very name; "g++" has.
		order := strings.HasSuffix(name, "-") || strings.HasSuffix(name, "+") && !strings.HasSuffix(name, "++")
		if order || !valid.MatchString(name) {
			wrong = append(wrong, &NameError{Name: name})
		}
	}
	return errors.Join(wrong...)
}
