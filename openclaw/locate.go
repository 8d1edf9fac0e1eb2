package openclaw

import (
	"errors"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// locate finds the file in which an edit of a path belongs, and the path within that file: the strongest file that has
// the value, else the strongest that has the object it would be added to. Where the value stands in a file of its own,
// that one is it, unless the edit is about the value itself and not about what it holds: then it is the file that
// includes it, because others may include it too. Where only one file is in play nothing is looked for, and the path
// stays as it is.
func (c *Config) locate(path json5.Path, itself bool) (*File, json5.Path, error) {
	main := c.files[c.root]
	if len(c.files) == 1 || len(path) == 0 {
		return main, path, nil
	}
	layers := c.layersOf(layer{main, main.Document.Root()})
	for i := range path {
		found, err := c.step(layers, path[i:i+1])
		switch {
		case err != nil:
			return nil, nil, err
		case len(found) == 0:
			best := holder(layers)
			return best.file, best.node.Path().Then(path[i:]...), nil
		case itself && i == len(path)-1:
			return found[0].file, found[0].node.Path(), nil
		}
		layers = nil
		for _, l := range found {
			layers = append(layers, c.layersOf(l)...)
		}
	}
	return layers[0].file, layers[0].node.Path(), nil
}

// step follows one step of a path in all layers.
func (c *Config) step(layers []layer, step json5.Path) ([]layer, error) {
	if layers[0].node.Kind() == json5.Array && len(layers) > 1 {
		return c.elements(layers, step)
	}
	var next []layer
	for _, l := range layers {
		n, err := c.child(l, step)
		if err != nil {
			return nil, err
		}
		if n != nil {
			next = append(next, layer{l.file, *n})
		}
	}
	return next, nil
}

// child is the node one step below a layer's, nil where there is none.
func (c *Config) child(l layer, step json5.Path) (*json5.Node, error) {
	n, err := l.file.Get(l.node.Path().Then(step...))
	var missing *json5.NotFoundError
	switch {
	case errors.As(err, &missing):
		return nil, nil
	case err != nil:
		return nil, &FileError{l.file.Path(), err}
	}
	return &n, nil
}

// elements follows a step into an array that is joined from several files: the weakest file's elements come first.
func (c *Config) elements(layers []layer, step json5.Path) ([]layer, error) {
	joined := 0
	var found []layer
	for i := len(layers) - 1; i >= 0; i-- {
		own := step
		if index, ok := step[0].AsIndex(); ok {
			own = json5.Path{json5.Index(max(0, index-joined))}
			if index < joined {
				continue
			}
		}
		n, err := c.child(layers[i], own)
		if err != nil {
			return nil, err
		}
		if n != nil {
			found = append(found, layer{layers[i].file, *n})
			if _, ok := step[0].AsIndex(); ok {
				break
			}
		}
		joined += layers[i].node.Len()
	}
	if len(found) > 1 {
		return nil, &json5.AmbiguousError{Path: layers[0].node.Path().String(), Selector: step.String(), Lines: []int{found[0].node.Line(), found[1].node.Line()}}
	}
	return found, nil
}

// holder picks the layer that something new is added to: the strongest that holds more than an $include.
func holder(layers []layer) layer {
	for _, l := range layers {
		for child := range l.node.Children() {
			if child.Key() != includeKey {
				return l
			}
		}
	}
	for _, l := range layers {
		if l.node.Len() == 0 {
			return l
		}
	}
	return layers[0]
}

// Apply does operations in the files where they belong, and gives the configuration as it would be. Nothing is written.
func (c *Config) Apply(operations ...json5.Operation) (*Config, error) {
	for _, o := range operations {
		next, err := c.applyOne(o)
		if err != nil {
			return nil, err
		}
		c = next
	}
	return c, nil
}

func (c *Config) applyOne(o json5.Operation) (*Config, error) {
	itself := o.Verb == json5.Set || o.Verb == json5.Unset || o.Verb == json5.Move
	f, path, err := c.locate(o.Path, itself)
	if err != nil {
		return nil, err
	}
	if o.Verb == json5.Move {
		to, target, err := c.locate(o.To, true)
		if err != nil {
			return nil, err
		}
		if to != f {
			return nil, &json5.OperationError{Path: o.Path.String(), Reason: "it cannot be moved to another file"}
		}
		o.To = target
	}
	o.Path = path
	doc, err := f.Apply(o)
	if err != nil {
		return nil, &FileError{f.Path(), err}
	}
	files := make(map[string]*File, len(c.files))
	for name, file := range c.files {
		files[name] = file
	}
	files[f.Path()] = &File{doc, f.file}
	return &Config{c.root, files}, nil
}
