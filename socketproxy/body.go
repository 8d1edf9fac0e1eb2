package socketproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// rule judges the value of one field, and may put another in its place.
type rule func(json.RawMessage) (json.RawMessage, error)

// fields are those of an object that may say something. Engines take a name
// in any case of its letters and the last of several: what is kept is written
// anew, under the names that stand here.
type fields map[string]rule

// reduce judges the fields of an object. What says nothing is left out: an
// engine has defaults of its own for it, which are the safe ones (an empty
// MaskedPaths is not).
func (f fields) reduce(text json.RawMessage) (json.RawMessage, error) {
	var came map[string]json.RawMessage
	if err := json.Unmarshal(text, &came); err != nil {
		return nil, refuse("the body cannot be read")
	}
	kept := map[string]json.RawMessage{}
	for _, name := range slices.Sorted(maps.Keys(came)) {
		if empty(came[name]) {
			continue
		}
		judge, known := f[name]
		if !known {
			return nil, refuse("%.40s=%.60s is not let through", name, came[name])
		}
		value, err := judge(came[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		kept[name] = value
	}
	return json.Marshal(kept)
}

// empty tells values that say nothing: null, false, 0, "", and lists and
// objects of nothing else.
func empty(text json.RawMessage) bool {
	var value any
	return json.Unmarshal(text, &value) == nil && saysNothingAtAll(value)
}

func saysNothingAtAll(value any) bool {
	switch value := value.(type) {
	case []any:
		return !slices.ContainsFunc(value, func(one any) bool { return !saysNothingAtAll(one) })
	case map[string]any:
		for _, one := range value {
			if !saysNothingAtAll(one) {
				return false
			}
		}
		return true
	}
	return value == nil || value == false || value == 0.0 || value == ""
}

// Rules for values.

// as takes any value of a type.
func as[T any](text json.RawMessage) (json.RawMessage, error) {
	var value T
	if json.Unmarshal(text, &value) != nil {
		return nil, refuse("%.60s is no %T", text, value)
	}
	return json.Marshal(value)
}

// exactly takes one of some values.
func exactly[T comparable](wanted ...T) rule {
	return func(text json.RawMessage) (json.RawMessage, error) {
		var value T
		if json.Unmarshal(text, &value) != nil || !slices.Contains(wanted, value) {
			return nil, refuse("%.60s is not let through", text)
		}
		return json.Marshal(value)
	}
}

// each takes a list of nothing but some words.
func each(wanted ...string) rule {
	return func(text json.RawMessage) (json.RawMessage, error) {
		var list []string
		if json.Unmarshal(text, &list) != nil {
			return nil, refuse("%.60s is no list of words", text)
		}
		for _, word := range list {
			if !slices.Contains(wanted, word) {
				return nil, refuse("%.60q is not let through", word)
			}
		}
		return json.Marshal(list)
	}
}

// read reads the whole body and puts what is left of it in its place.
func (v *visit) read(f fields) error {
	text, err := io.ReadAll(io.LimitReader(v.in.Body, bodyMost+1))
	if err != nil {
		return refuse("the body cannot be read")
	}
	if len(text) > bodyMost {
		return refuse("the body is longer than %d bytes", bodyMost)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	var object json.RawMessage
	if decoder.Decode(&object) != nil || !onlyThat(decoder) {
		return refuse("the body is no JSON object")
	}
	v.text, err = f.reduce(object)
	return err
}

func onlyThat(decoder *json.Decoder) bool {
	_, err := decoder.Token()
	return errors.Is(err, io.EOF)
}
