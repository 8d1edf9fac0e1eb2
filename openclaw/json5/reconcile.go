package json5

// The bounds within which a list is turned into another one item by item: each step reads the text anew.
const (
	mostSteps = 32
	mostBytes = 4 << 20
)

// reconcile turns a list into another one of its kind item by item, so that what is the same in both keeps its comments
// and its layout. It gives nil where the two have nothing in common, where the order of what they share differs, or where
// it would take too many steps: then the list is written anew as a whole.
func (d *Document) reconcile(path Path, value Value) *Document {
	r := &reconciler{doc: d, left: min(mostSteps, mostBytes/max(1, len(d.src)))}
	if !r.list(path, value) {
		return nil
	}
	return r.doc
}

type reconciler struct {
	doc  *Document
	left int // steps
}

// step does one edit, if there is one left.
func (r *reconciler) step(list []splice) bool {
	if r.left--; r.left < 0 {
		return false
	}
	doc, err := r.doc.splice(list)
	if err != nil {
		return false
	}
	r.doc = doc
	return true
}

// list makes the list at a path equal to the value.
func (r *reconciler) list(path Path, value Value) bool {
	n, err := r.doc.Get(path)
	if err != nil || n.Kind() != value.Kind || n.Kind() < Array {
		return false
	}
	if value.Kind == Object {
		return r.object(path, n.Value(), value)
	}
	return r.array(path, n.Value(), value)
}

// one makes a single value equal to another: lists item by item where possible, all else as a whole.
func (r *reconciler) one(path Path, value Value) bool {
	n, err := r.doc.Get(path)
	if err != nil {
		return false
	}
	if n.Value().Equal(value) {
		return true
	}
	inner := &reconciler{r.doc, r.left}
	if inner.list(path, value) {
		*r = *inner
		return true
	}
	return r.step([]splice{r.doc.replacement(n.at, value)})
}

func (r *reconciler) object(path Path, old, value Value) bool {
	if !sharedInOrder(old, value) {
		return false
	}
	for _, m := range old.Members {
		if _, stays := value.Member(m.Key); !stays && !r.drop(path.Then(Key(m.Key))) {
			return false
		}
	}
	for i, m := range value.Members {
		if _, there := old.Member(m.Key); there {
			if !r.one(path.Then(Key(m.Key)), m.Value) {
				return false
			}
			continue
		}
		if !r.add(path, i, func(re renderer, p place, model int) entry {
			return entry{body: re.member(m.Key, m.Value, p, re.modelFor(model, m.Value))}
		}) {
			return false
		}
	}
	return true
}

// sharedInOrder says whether two objects have names in common, in the same order, and none twice.
func sharedInOrder(a, b Value) bool {
	if len(lastOfEach(a.Members)) != len(a.Members) || len(lastOfEach(b.Members)) != len(b.Members) {
		return false
	}
	var shared []string
	for _, m := range a.Members {
		if _, ok := b.Member(m.Key); ok {
			shared = append(shared, m.Key)
		}
	}
	count := len(shared)
	for _, m := range b.Members {
		if len(shared) > 0 && shared[0] == m.Key {
			shared = shared[1:]
		}
	}
	return count > 0 && len(shared) == 0
}

func (r *reconciler) array(path Path, old, value Value) bool {
	pairs := pairUp(old.Items, value.Items)
	if len(pairs) == 0 {
		return false
	}
	for i := len(old.Items) - 1; i >= 0; i-- {
		if _, stays := pairs[i]; !stays && !r.drop(path.Then(Index(i))) {
			return false
		}
	}
	paired := map[int]bool{}
	for _, j := range pairs {
		paired[j] = true
	}
	for j, item := range value.Items {
		if paired[j] {
			if !r.one(path.Then(Index(j)), item) {
				return false
			}
			continue
		}
		if !r.add(path, j, func(re renderer, p place, model int) entry {
			return entry{body: re.value(item, p, re.modelFor(model, item))}
		}) {
			return false
		}
	}
	return true
}

// pairUp finds the longest row of elements that are the same in both: equal, or objects of the same id.
func pairUp(a, b []Value) map[int]int {
	if len(a) > mostSteps*8 || len(b) > mostSteps*8 {
		return nil
	}
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if sameThing(a[i], b[j]) {
				length[i][j] = length[i+1][j+1] + 1
			}
		}
	}
	pairs := map[int]int{}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case sameThing(a[i], b[j]):
			pairs[i] = j
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

func sameThing(a, b Value) bool {
	left, okLeft := a.Member("id")
	right, okRight := b.Member("id")
	return a.Equal(b) || okLeft && okRight && left.Kind == String && left.Equal(right)
}

func (r *reconciler) drop(path Path) bool {
	n, err := r.doc.Get(path)
	return err == nil && r.step(r.doc.remove(r.doc.nodes[n.at].parent, r.doc.position(n.at)))
}

func (r *reconciler) add(path Path, k int, write func(renderer, place, int) entry) bool {
	n, err := r.doc.Get(path)
	return err == nil && r.step(r.doc.insert(n.at, k, write))
}

// modelFor keeps a model only for values of its own kind.
func (r renderer) modelFor(model int, v Value) int {
	if model >= 0 && r.nodes[model].kind == v.Kind {
		return model
	}
	return -1
}
