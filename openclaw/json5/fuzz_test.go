package json5

import (
	"bytes"
	"errors"
	"math/rand"
	"os"
	"strconv"
	"testing"
)

// TestRandomEdits does random edits on random documents. Each must be exact or refused for a reason that lies in the
// document; FRAKTALIA_EDITS sets how many (a million is the run of bench/json5).
func TestRandomEdits(t *testing.T) {
	count := 30000
	if text := os.Getenv("FRAKTALIA_EDITS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatalf("FRAKTALIA_EDITS must be a number: %v", err)
		}
	}
	random := rand.New(rand.NewSource(int64(count)))
	tally := editTally{}
	for done := 0; done < count; {
		doc, err := Parse([]byte(randomText(random)))
		if err != nil {
			t.Fatalf("a random document is not valid: %v", err)
		}
		for range min(1+random.Intn(6), count-done) {
			doc = tally.edit(t, random, doc)
			done++
		}
	}
	t.Logf("%d edits: %d exact, %d for nothing to do, %d refused for the document, %d refused by the self-check, %d damaged",
		count, tally.exact, tally.same, tally.refused, tally.doubted, tally.damaged)
	if tally.damaged > 0 || tally.doubted > 0 || tally.refused*100 > count {
		t.Errorf("too many edits failed")
	}
}

type editTally struct{ exact, same, refused, doubted, damaged int }

// edit does one random edit and judges it by the model and by an own comparison of bytes, whatever Apply itself says.
func (tally *editTally) edit(t *testing.T, random *rand.Rand, doc *Document) *Document {
	o := randomOperation(random, doc)
	before := bytes.Clone(doc.Bytes())
	after, err := doc.Apply(o)
	var check *CheckError
	switch {
	case errors.As(err, &check):
		tally.doubted++
		t.Logf("%v: %q", err, before)
		return doc
	case err != nil:
		tally.refused++
		return doc
	case !bytes.Equal(before, doc.Bytes()):
		tally.damaged++
		t.Errorf("%s changed the document it was done on", o)
	case after == doc:
		tally.same++
		return doc
	}
	want, ok := modelApply(doc.Root().Value(), o)
	read, err := Parse(after.Bytes())
	if !ok || err != nil || !read.Root().Value().Equal(want) {
		tally.damaged++
		t.Errorf("%s damaged a document\nbefore:\n%s\nafter:\n%s", o, before, after.Bytes())
	}
	tally.exact++
	return after
}

// randomOperation makes an operation that fits the document, save for duplicate names on its path.
func randomOperation(random *rand.Rand, doc *Document) Operation {
	at := random.Intn(len(doc.nodes))
	path := Node{doc, at}.Path()
	value := randomValue(random)
	switch kind := doc.nodes[at].kind; random.Intn(5) {
	case 0:
		if kind >= Array && random.Intn(2) == 0 {
			value = similar(random, Node{doc, at}.Value())
		}
		return Operation{Verb: Set, Path: path, Value: value}
	case 1:
		if at > 0 {
			return Operation{Verb: Unset, Path: path}
		}
	case 2:
		if kind == Array {
			return Operation{Verb: Insert, Path: path, Index: random.Intn(len(doc.children(at)) + 1), Value: value}
		}
	case 3:
		if kind == Array {
			return Operation{Verb: Append, Path: path, Value: value}
		}
	case 4:
		if o, ok := randomMove(random, doc, at); ok {
			return o
		}
	}
	if doc.nodes[at].kind == Object {
		fresh := "new " + strconv.Itoa(random.Intn(1e9))
		if random.Intn(2) == 0 {
			return Operation{Verb: Append, Path: path.Then(Key(fresh)), Value: value}
		}
		return Operation{Verb: Set, Path: path.Then(Key(fresh)), Value: value}
	}
	return Operation{Verb: Set, Path: path, Value: value}
}

// similar changes a list here and there.
func similar(random *rand.Rand, v Value) Value {
	var items []Value
	for _, item := range v.Items {
		switch random.Intn(4) {
		case 0:
		case 1:
			items = append(items, item, randomValue(random))
		case 2:
			items = append(items, similar(random, item))
		default:
			items = append(items, item)
		}
	}
	var members []Member
	for _, m := range v.Members {
		switch random.Intn(4) {
		case 0:
		case 1:
			members = append(members, m, Member{"extra " + strconv.Itoa(random.Intn(1e9)), randomValue(random)})
		case 2:
			members = append(members, Member{m.Key, similar(random, m.Value)})
		default:
			members = append(members, m)
		}
	}
	v.Items, v.Members = items, members
	return v
}

func randomMove(random *rand.Rand, doc *Document, at int) (Operation, bool) {
	for range 8 {
		into := random.Intn(len(doc.nodes))
		n := doc.nodes[into]
		if at == 0 || n.kind < Array || into >= at && into < doc.nodes[at].next {
			continue
		}
		last := Key("moved " + strconv.Itoa(random.Intn(1e9)))
		if n.kind == Array {
			room := len(doc.children(into))
			if doc.nodes[at].parent == into {
				room--
			}
			last = Index(random.Intn(room + 1))
		}
		return Operation{Verb: Move, Path: Node{doc, at}.Path(), To: Node{doc, into}.Path().Then(last)}, true
	}
	return Operation{}, false
}

func randomValue(random *rand.Rand) Value {
	doc, err := Parse([]byte(generator{Rand: random, nl: "\n"}.value(random.Intn(4) + 2)))
	if err != nil {
		return StringValue("it's \"x\"\n\u2028")
	}
	return doc.Root().Value()
}

// FuzzParse holds the parser against hostile texts: it must neither panic nor hang, and whatever it accepts must be
// editable.
func FuzzParse(f *testing.F) {
	for _, text := range grammarCases()[:300] {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := Parse(bytes.Clone(text))
		if err != nil {
			return
		}
		random := rand.New(rand.NewSource(int64(len(text))))
		tally := editTally{}
		for range 3 {
			doc = tally.edit(t, random, doc)
		}
		if tally.doubted > 0 {
			t.Errorf("the self-check refused an edit")
		}
	})
}

// TestInsertThenUnset removes again what was just inserted: the text must be as before.
func TestInsertThenUnset(t *testing.T) {
	random := rand.New(rand.NewSource(7))
	changed, count := 0, 0
	for range 6000 {
		doc, err := Parse([]byte(randomText(random)))
		if err != nil {
			t.Fatal(err)
		}
		at := random.Intn(len(doc.nodes))
		n := doc.nodes[at]
		if n.kind != Array || len(doc.children(at)) == 0 {
			continue
		}
		path, k := Node{doc, at}.Path(), random.Intn(len(doc.children(at))+1)
		more, err := doc.Insert(path, k, StringValue("new"))
		if err != nil {
			continue
		}
		back, err := more.Unset(path.Then(Index(k)))
		if err != nil {
			t.Fatal(err)
		}
		if count++; !bytes.Equal(doc.Bytes(), back.Bytes()) {
			changed++
			if changed < 4 {
				t.Logf("at %s [%d]\n%q\n%q\n%q", path, k, doc.Bytes(), more.Bytes(), back.Bytes())
			}
		}
	}
	t.Logf("%d of %d come back with other white space", changed, count)
}
