package openclaw

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"

	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/openclaw/safefile"
)

// The bounds that OpenClaw itself puts on $include.
const (
	maxIncludeDepth = 10
	maxIncludeSize  = 2 << 20
)

// includeKey is the member whose value names other files.
const includeKey = "$include"

// IncludeError says why an included file cannot be used.
type IncludeError struct {
	Path   string // of the included file
	Reason string
}

func (e *IncludeError) Error() string {
	return fmt.Sprintf("the included file %s %s", e.Path, e.Reason)
}

// Config is OpenClaw's configuration as it stands: the file and all files that it includes. It is immutable; edits give a
// new one (Apply), and Plan writes the difference.
type Config struct {
	root  string
	files map[string]*File // by the path with links resolved
}

// LoadConfig reads the configuration. Errors: *FileError, *IncludeError, and those of safefile.Read.
func LoadConfig(path string) (*Config, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	c := &Config{root: f.Path(), files: map[string]*File{f.Path(): f}}
	return c, c.include(f, f.Document.Root(), 1)
}

// Path is the main file.
func (c *Config) Path() string { return c.root }

// Document is the main file's text.
func (c *Config) Document() *json5.Document { return c.files[c.root].Document }

// Backups lists the contents that the files had before our edits, over all files, the newest first.
func (c *Config) Backups() ([]safefile.Backup, error) {
	var all []safefile.Backup
	for _, f := range c.files {
		list, err := f.Backups()
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Time.After(all[j].Time) })
	return all, nil
}

// include loads every file that a value, or one within it, includes.
func (c *Config) include(from *File, n json5.Node, depth int) error {
	for child := range n.Children() {
		if child.Key() == includeKey && n.Kind() == json5.Object {
			for _, name := range includeNames(child) {
				if err := c.load(from, name, depth); err != nil {
					return err
				}
			}
		} else if err := c.include(from, child, depth); err != nil {
			return err
		}
	}
	return nil
}

func includeNames(n json5.Node) []string {
	if text, ok := n.Text(); ok {
		return []string{text}
	}
	var names []string
	for child := range n.Children() {
		if text, ok := child.Text(); ok {
			names = append(names, text)
		}
	}
	return names
}

func (c *Config) load(from *File, name string, depth int) error {
	path := includePath(from, name)
	if depth > maxIncludeDepth {
		return &IncludeError{path, fmt.Sprintf("is included through more than %d files; is there a circle?", maxIncludeDepth)}
	}
	if err := c.mayInclude(path); err != nil {
		return err
	}
	f, err := OpenFile(path)
	if err != nil {
		return err
	}
	c.files[f.Path()] = f
	return c.include(f, f.Document.Root(), depth+1)
}

func includePath(from *File, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(filepath.Dir(from.Path()), name)
}

// mayInclude holds a file against the rules that OpenClaw has for included ones.
func (c *Config) mayInclude(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return &IncludeError{path, "does not exist"}
	}
	if !strings.HasPrefix(real, filepath.Dir(c.root)+string(filepath.Separator)) {
		return &IncludeError{path, "is outside of the configuration's folder " + filepath.Dir(c.root)}
	}
	var stat syscall.Stat_t
	if err := syscall.Stat(real, &stat); err != nil {
		return &IncludeError{path, "cannot be looked at: " + err.Error()}
	}
	if stat.Size > maxIncludeSize {
		return &IncludeError{path, fmt.Sprintf("is larger than %d bytes", maxIncludeSize)}
	}
	if stat.Nlink > 1 && stat.Mode&syscall.S_IFMT == syscall.S_IFREG {
		return &IncludeError{path, "has hard links, which OpenClaw refuses"}
	}
	return nil
}

// layer is one place in one file that takes part in a merged value.
type layer struct {
	file *File
	node json5.Node
}

// layersOf gives what a value is merged from, the strongest first: the value's own members, then the included files, the
// last one first. An object that holds nothing but an $include is no layer: OpenClaw puts what is included in its place,
// be that an object or not.
func (c *Config) layersOf(l layer) []layer {
	if l.node.Kind() != json5.Object {
		return []layer{l}
	}
	var included []layer
	own := false
	for child := range l.node.Children() {
		if child.Key() != includeKey {
			own = true
			continue
		}
		for _, name := range slices.Backward(includeNames(child)) {
			real, err := filepath.EvalSymlinks(includePath(l.file, name))
			if f := c.files[real]; err == nil && f != nil {
				included = append(included, c.layersOf(layer{f, f.Document.Root()})...)
			}
		}
	}
	if own || len(included) == 0 {
		return append([]layer{l}, included...)
	}
	return included
}

// Value is the configuration as OpenClaw sees it, all files merged: later ones win, arrays are joined.
func (c *Config) Value() json5.Value {
	f := c.files[c.root]
	return c.merged(layer{f, f.Document.Root()})
}

func (c *Config) merged(l layer) json5.Value {
	switch l.node.Kind() {
	case json5.Array:
		v := json5.Value{Kind: json5.Array}
		for child := range l.node.Children() {
			v.Items = append(v.Items, c.merged(layer{l.file, child}))
		}
		return v
	case json5.Object:
		layers := c.layersOf(l)
		v := c.own(layers[len(layers)-1])
		for i := len(layers) - 2; i >= 0; i-- {
			v = merge(v, c.own(layers[i]))
		}
		return v
	}
	return l.node.Value()
}

// own is an object's value without what it includes at its own level.
func (c *Config) own(l layer) json5.Value {
	if l.node.Kind() != json5.Object {
		return c.merged(l)
	}
	v := json5.Value{Kind: json5.Object}
	for child := range l.node.Children() {
		if child.Key() != includeKey {
			v.Members = append(v.Members, json5.Member{Key: child.Key(), Value: c.merged(layer{l.file, child})})
		}
	}
	return v
}

// merge puts a stronger value over a weaker one, as OpenClaw does with $include.
func merge(weak, strong json5.Value) json5.Value {
	switch {
	case weak.Kind == json5.Array && strong.Kind == json5.Array:
		return json5.ArrayValue(append(append([]json5.Value{}, weak.Items...), strong.Items...)...)
	case weak.Kind != json5.Object || strong.Kind != json5.Object:
		return strong
	case len(strong.Members) == 0:
		return weak
	}
	members := append([]json5.Member{}, weak.Members...)
	for _, m := range strong.Members {
		at := -1
		for i := range members {
			if members[i].Key == m.Key {
				at = i
			}
		}
		if at < 0 {
			members = append(members, m)
		} else {
			members[at].Value = merge(members[at].Value, m.Value)
		}
	}
	return json5.ObjectValue(members...)
}
