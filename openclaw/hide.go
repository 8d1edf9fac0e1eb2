package openclaw

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
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
	shown, err := WithoutSecrets(text, h.mark)
	if err != nil {
		return "(not readable as JSON5: " + err.Error() + ")\n"
	}
	return shown
}

func (h hider) mark(secret []byte) string {
	mac := hmac.New(sha256.New, h.key)
	mac.Write(secret)
	return `"<hidden ` + hex.EncodeToString(mac.Sum(nil)[:3]) + `>"`
}

// WithoutSecrets is a JSON5 text with each secret in it replaced by what mark makes of it, in its comments too. The error
// is that of json5.Parse.
func WithoutSecrets(text []byte, mark func(secret []byte) string) (string, error) {
	doc, err := json5.Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	from := 0
	for _, s := range secrets(doc) {
		out.Write(text[from:s.start])
		out.WriteString(mark(text[s.start:s.end]))
		from = s.end
	}
	out.Write(text[from:])
	return out.String(), nil
}

// span is a part of a text.
type span struct{ start, end int }

func (s span) holds(other span) bool { return s.start <= other.start && other.end <= s.end }

func (s span) meets(other span) bool { return s.start < other.end && other.start < s.end }

// secrets lists what nobody should read over somebody's shoulder, in the order of the text.
func secrets(doc *json5.Document) []span {
	var f finder
	f.values(doc.Root(), true, false)
	f.comments(doc)
	slices.SortFunc(f.found, func(a, b span) int { return a.start - b.start })
	return f.found
}

// finder looks for secrets.
type finder struct {
	found []span
	named []span // values under a secret's name, whatever they are: an older one may stand beside them in a comment
	full  []span // values in which every string is secret
}

// values looks through a value; all says that each string in it is secret.
func (f *finder) values(n json5.Node, root, all bool) {
	for child := range n.Children() {
		start, end := child.Span()
		at := span{start, end}
		secret := all || keepsSecrets(n, child, root)
		if text, ok := child.Text(); ok && secret && text != "" && !reference(text) {
			f.found = append(f.found, at)
		}
		if secret {
			f.named = append(f.named, at)
		}
		secret = secret && !namesPlace(child) // a SecretRef says where a secret is, which is none
		if secret {
			f.full = append(f.full, at)
		}
		f.values(child, false, secret)
	}
}

// keepsSecrets says whether what stands under the member's name is secret.
func keepsSecrets(within, member json5.Node, root bool) bool {
	name, object := member.Key(), member.Kind() == json5.Object
	switch {
	case strings.EqualFold(name, "env"):
		return object || member.Kind() == json5.Array
	case object && root && name == "secrets": // OpenClaw's own part, which tells where it finds them
		return false
	case object && slices.Contains([]string{"entries", "providers", "accounts", "groups", "rooms", "servers", "profiles"}, within.Key()):
		return false // the names are people's own: an agent may be called Cookie
	}
	return SecretName(name)
}

// reference says whether a text stands for a variable of the environment and nothing else.
func reference(text string) bool {
	return strings.HasPrefix(text, "${") && strings.IndexByte(text, '}') == len(text)-1
}

func namesPlace(n json5.Node) bool {
	if n.Kind() != json5.Object {
		return false
	}
	for child := range n.Children() {
		if text, _ := child.Text(); child.Key() == "source" && slices.Contains([]string{"env", "file", "exec"}, text) {
			return true
		}
	}
	return false
}

// SecretPath says whether a value at a path is one of those that are hidden.
func SecretPath(path json5.Path) bool {
	return slices.ContainsFunc(path, func(s json5.Step) bool {
		name, _ := s.AsKey()
		return SecretName(name) || strings.EqualFold(name, "env")
	})
}

// SecretName says whether a member's name is one under which secrets are kept.
func SecretName(name string) bool {
	variable := strings.TrimSuffix(strings.ReplaceAll(strings.ToUpper(name), "-", "_"), "S")
	name = strings.TrimSuffix(strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name)), "s")
	for _, count := range []string{"maxtoken", "inputtoken", "outputtoken", "completiontoken", "contexttoken", "totaltoken"} {
		if strings.HasSuffix(name, count) {
			return false // so many tokens of a model
		}
	}
	for _, part := range []string{"token", "password", "passwd", "passphrase", "secret", "credential", "apikey", "privatekey", "secretkey",
		"accesskey", "encryptkey", "encryptionkey", "signingkey", "recoverykey", "serviceaccount", "authorization", "bearer", "cookie"} {
		if strings.HasSuffix(name, part) {
			return true
		}
	}
	return strings.HasSuffix(variable, "_KEY") && !strings.HasSuffix(variable, "PUBLIC_KEY")
}
