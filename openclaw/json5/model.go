package json5

// This file applies operations to plain values. It shares no code with the editor: what the editor makes of the text is
// held against it (check.go).

// modelApply gives the value that a document has once an operation is done on it.
func modelApply(root Value, o Operation) (Value, bool) {
	switch o.Verb {
	case Set:
		return modelChange(root, o.Path, func(Value, bool) (Value, bool) { return o.Value, true })
	case Unset:
		return modelTake(root, o.Path)
	case Insert:
		return modelChange(root, o.Path, func(v Value, there bool) (Value, bool) {
			return modelInsert(v, o.Index, o.Value), there && v.Kind == Array
		})
	case Append:
		return modelChange(root, o.Path, func(v Value, there bool) (Value, bool) {
			if !there {
				return Value{Kind: Array, Items: []Value{o.Value}}, true
			}
			return modelInsert(v, len(v.Items), o.Value), v.Kind == Array
		})
	case Move:
		return modelMove(root, o.Path, o.To)
	}
	return Value{}, false
}

// modelChange copies the values along the path and puts the changed one at its end; objects that are missing are made.
func modelChange(v Value, path Path, change func(v Value, there bool) (Value, bool)) (Value, bool) {
	if len(path) == 0 {
		return change(v, true)
	}
	i, ok := modelFind(v, path[0])
	if !ok {
		return modelGrow(v, path, change)
	}
	if v.Kind == Array {
		items := append([]Value{}, v.Items...)
		items[i], ok = modelChange(items[i], path[1:], change)
		v.Items = items
		return v, ok
	}
	members := append([]Member{}, v.Members...)
	members[i].Value, ok = modelChange(members[i].Value, path[1:], change)
	v.Members = members
	return v, ok
}

func modelGrow(v Value, path Path, change func(v Value, there bool) (Value, bool)) (Value, bool) {
	if v.Kind != Object || path[0].kind != nameStep {
		return v, false
	}
	var ok bool
	grown := Value{Kind: Object}
	if len(path) > 1 {
		grown, ok = modelGrow(grown, path[1:], change)
	} else {
		grown, ok = change(Value{}, false)
	}
	v.Members = append(append([]Member{}, v.Members...), Member{path[0].name, grown})
	return v, ok
}

// modelFind gives the place of the one child that a step means.
func modelFind(v Value, s Step) (int, bool) {
	found := -1
	count := 0
	note := func(i int, match bool) {
		if match {
			found, count = i, count+1
		}
	}
	for i, m := range v.Members {
		note(i, s.kind == nameStep && m.Key == s.name)
	}
	for i, item := range v.Items {
		switch s.kind {
		case indexStep:
			note(i, i == s.index)
		case nameStep:
			index, ok := plainIndex(s.name)
			note(i, ok && i == index)
		case matchStep:
			note(i, modelMatches(item, s))
		}
	}
	return found, count == 1
}

func modelMatches(v Value, s Step) bool {
	for _, name := range s.field {
		inner, ok := v.Member(name)
		if !ok {
			return false
		}
		v = inner
	}
	if v.Kind == String {
		return v.Text == s.want
	}
	return v.Kind < Array && !s.exact && v.Equal(ParseValue(s.want))
}

func modelInsert(v Value, i int, item Value) Value {
	items := append([]Value{}, v.Items[:min(i, len(v.Items))]...)
	v.Items = append(append(items, item), v.Items[min(i, len(v.Items)):]...)
	return v
}

// modelTake is the value without what is at the path.
func modelTake(v Value, path Path) (Value, bool) {
	if len(path) == 0 {
		return v, false
	}
	return modelChange(v, path[:len(path)-1], func(v Value, there bool) (Value, bool) {
		i, ok := modelFind(v, path[len(path)-1])
		if !there || !ok {
			return v, false
		}
		if v.Kind == Array {
			v.Items = append(append([]Value{}, v.Items[:i]...), v.Items[i+1:]...)
		} else {
			v.Members = append(append([]Member{}, v.Members[:i]...), v.Members[i+1:]...)
		}
		return v, true
	})
}

// modelMark stands for the moved value while the tree changes around it; no text can hold it.
const modelMark Kind = 255

// modelMove marks the source, puts a copy at the target, and takes the mark out.
func modelMove(root Value, from, to Path) (Value, bool) {
	var moved Value
	marked, ok := modelChange(root, from, func(v Value, there bool) (Value, bool) {
		moved = v
		return Value{Kind: modelMark}, there
	})
	if !ok || len(from) == 0 || len(to) == 0 {
		return root, false
	}
	last := to[len(to)-1]
	placed, ok := modelChange(marked, to[:len(to)-1], func(v Value, there bool) (Value, bool) {
		return modelPlace(v, last, moved), there
	})
	return modelSweep(placed), ok
}

// modelPlace puts the moved value into its new container; within the container it came from, it takes the mark's part.
func modelPlace(v Value, last Step, moved Value) Value {
	if v.Kind == Object {
		members := append([]Member{}, v.Members...)
		for i := range members {
			if members[i].Value.Kind == modelMark {
				members[i] = Member{last.name, moved}
				v.Members = members
				return v
			}
		}
		v.Members = append(members, Member{last.name, moved})
		return v
	}
	index := last.index
	if n, ok := plainIndex(last.name); last.kind == nameStep && ok {
		index = n
	}
	return modelInsert(modelSweepOne(v), index, moved)
}

// modelSweep takes the mark out of a tree.
func modelSweep(v Value) Value {
	v = modelSweepOne(v)
	items := make([]Value, 0, len(v.Items))
	for _, item := range v.Items {
		items = append(items, modelSweep(item))
	}
	members := make([]Member, 0, len(v.Members))
	for _, m := range v.Members {
		members = append(members, Member{m.Key, modelSweep(m.Value)})
	}
	v.Items, v.Members = items, members
	return v
}

func modelSweepOne(v Value) Value {
	var items []Value
	for _, item := range v.Items {
		if item.Kind != modelMark {
			items = append(items, item)
		}
	}
	var members []Member
	for _, m := range v.Members {
		if m.Value.Kind != modelMark {
			members = append(members, m)
		}
	}
	v.Items, v.Members = items, members
	return v
}
