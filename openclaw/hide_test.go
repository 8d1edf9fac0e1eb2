package openclaw

import (
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

const secretsShown = `{
  // apiKey: 'SECRET-old', // before
  /* the token was 'SECRET-prose' and
     password: SECRET bare words, */
  env: { OPENAI_KEY: 'SECRET-1', vars: { X: "SECRET-2" }, Y: '${HOUSE_KEY}' },
  // export GEMINI_API_KEY=SECRET-sh
  // 'token': "SECRET it's",
  // tokens: [
  //   'SECRET-a', // shown?
  //   { deep: 'SECRET-b' },
  // ],
  // name: 'Mox', maxTokens: 4096, tokens: 12,
  hooks: { tokens: ['SECRET-3', { also: 'SECRET-4' }], passwords: { a: 'SECRET-5' } },
  models: { providers: { own: { apiKey: '${OWN_KEY}', // 'SECRET-6'
    baseUrl: 'http://127.0.0.1:1', HOUSE_KEY: 'SECRET-7', contextTokens: 4096 } } },
  agents: { entries: {
    cookie: { name: 'Cookie', maxTokens: '8000' }, // the token is Ned's, and that isn't Max's
    mox: { sandbox: { docker: { env: {
      // OLD: 'SECRET-8', OTHER=SECRET-9
      LANG: 'SECRET-10',
    } } } }, // 'max'
  } },
  gateway: { auth: { token: { source: 'file', provider: 'house', id: 'value' } } },
  secrets: { providers: { house: { source: 'file', path: '/etc/house', mode: 'singleValue' }, run: { source: 'exec', command: '/bin/x', env: { A: 'SECRET-11' } } } },
  channels: { matrix: { password: "SECRET \"12\"", recoveryKey: 'SECRET-13', sessionKey: 'agent:mox', publicKey: 'known' } },
  // token:
  //   'SECRET-14'
  last: 'one',
}
`

func TestSecretsAreHidden(t *testing.T) {
	shown, err := WithoutSecrets([]byte(secretsShown), func([]byte) string { return "*" })
	must(t, err)
	for _, line := range strings.Split(shown, "\n") {
		if strings.Contains(line, "SECRET") {
			t.Errorf("shown: %s", line)
		}
	}
	for _, line := range []string{"  // apiKey: *, // before", "     password: *, */", "  env: { OPENAI_KEY: *, vars: { X: * }, Y: '${HOUSE_KEY}' },", "  // export GEMINI_API_KEY=*",
		"  // 'token': *,", "  //   *, // shown?", "  //   { deep: * },", "  // name: 'Mox', maxTokens: 4096, tokens: 12,", "  hooks: { tokens: [*, { also: * }], passwords: { a: * } },",
		"{ apiKey: '${OWN_KEY}', // *", "    baseUrl: 'http://127.0.0.1:1', HOUSE_KEY: *, contextTokens: 4096", "    cookie: { name: 'Cookie', maxTokens: '8000' }, // the token is Ned's, and that isn't Max's",
		"      // OLD: *, OTHER=*", "    } } } }, // *", "token: { source: 'file', provider: 'house', id: 'value' }", "path: '/etc/house', mode: 'singleValue' }", "command: '/bin/x', env: { A: * }",
		"password: *, recoveryKey: *, sessionKey: 'agent:mox', publicKey: 'known'", "  //   *", "  last: 'one',"} {
		if !strings.Contains(shown, line) {
			t.Errorf("not shown: %s", line)
		}
	}
	if t.Failed() {
		t.Log(shown)
	}
}

// TestSecretPutOutOfUse checks that a secret that becomes a comment is seen to be the same one.
func TestSecretPutOutOfUse(t *testing.T) {
	diff := Diff("c.json", []byte("{\n  apiKey: 'SECRET',\n}\n"), []byte("{\n  // apiKey: 'SECRET',\n}\n"))
	_, mark, _ := strings.Cut(diff, "-  apiKey: ")
	mark, _, _ = strings.Cut(mark, ",")
	if strings.Contains(diff, "SECRET") || !strings.HasPrefix(mark, `"<hidden `) || !strings.Contains(diff, "+  // apiKey: "+mark+",") {
		t.Error(diff)
	}
}

// FuzzWithoutSecrets checks that what is shown of a JSON5 text is one again, with as many comments.
func FuzzWithoutSecrets(f *testing.F) {
	f.Add(secretsShown)
	f.Add("{a: 'x' /* token: 'y' */, env: ['\\'', \"//\"], // apiKey = \r\n // [{]} 'z\n}")
	f.Fuzz(func(t *testing.T, text string) {
		before, err := json5.Parse([]byte(text))
		if err != nil {
			return
		}
		shown, err := WithoutSecrets([]byte(text), func([]byte) string { return `"*"` })
		if err != nil {
			t.Fatal(err)
		}
		after, err := json5.Parse([]byte(shown))
		if err != nil || len(after.Comments()) != len(before.Comments()) {
			t.Errorf("%q is shown as %q: %v", text, shown, err)
		}
	})
}
