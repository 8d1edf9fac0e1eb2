package openclaw

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// hider replaces secrets in a text that is to be shown. The same secret becomes the same mark within one hider, so that a
// changed one is seen to be changed; the key of the marks is random, so that they tell nothing about it.
type hider struct{ key []byte }

func newHider() hider {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	return hider{key}
}

// hide gives the text with its secrets replaced. A text that cannot be parsed is not shown at all.
func (h hider) hide(text []byte) string {
	doc, err := json5.Parse(text)
	if err != nil {
		return "(not readable as JSON5: " + err.Error() + ")\n"
	}
	var out strings.Builder
	from := 0
	for _, n := range secrets(doc.Root(), nil) {
		start, end := n.Span()
		out.Write(text[from:start])
		out.WriteString(h.mark(n.Raw()))
		from = end
	}
	out.Write(text[from:])
	return out.String()
}

func (h hider) mark(secret []byte) string {
	mac := hmac.New(sha256.New, h.key)
	mac.Write(secret)
	return `"<hidden ` + hex.EncodeToString(mac.Sum(nil)[:3]) + `>"`
}

// secrets lists the strings that nobody should read over somebody's shoulder.
func secrets(n json5.Node, list []json5.Node) []json5.Node {
	for child := range n.Children() {
		text, isText := child.Text()
		if isText && text != "" && SecretName(child.Key()) && !strings.HasPrefix(text, "${") {
			list = append(list, child)
			continue
		}
		list = secrets(child, list)
	}
	return list
}

// SecretName says whether a member's name is one under which secrets are kept.
func SecretName(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
	for _, part := range []string{"token", "password", "passphrase", "secret", "apikey", "privatekey", "accesskey", "authorization", "cookie"} {
		if strings.HasSuffix(name, part) {
			return true
		}
	}
	return false
}
