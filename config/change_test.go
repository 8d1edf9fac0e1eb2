package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A change keeps what people have written: comments, the order, and keys that
// stand as they do by default. What the file does not name is added where it is
// not the default.
func TestChangeKeepsTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fraktalia.yaml")
	before := `# mine
bot: {user_id: "@fraktalia:a.example", password_file: secrets/b} # the bot
owners: ["@mila:a.example"]
homeserver:
  server_name: a.example # for ever
  address: http://127.0.0.1:1
openclaw:
  gateway: http://127.0.0.1:2 # there
`
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	change := func(c *Config) {
		c.OpenClaw.Run, c.OpenClaw.Gateway, c.OpenClaw.Config = true, "http://127.0.0.1:3", "openclaw/openclaw.json"
	}
	for range 2 { // twice is harmless
		if err := Change(path, change); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before, "http://127.0.0.1:2", "http://127.0.0.1:3", 1) + "  config: openclaw/openclaw.json\n  run: true\n"
	if string(after) != want {
		t.Errorf("got\n%s\nwant\n%s", after, want)
	}
	c, err := Load(path)
	if err != nil || !c.OpenClaw.Run || c.OpenClaw.AnswerWithin != Default().OpenClaw.AnswerWithin || c.OpenClaw.Config != filepath.Join(filepath.Dir(path), "openclaw/openclaw.json") {
		t.Errorf("%+v, %v", c.OpenClaw, err)
	}
	if err := Change(filepath.Join(t.TempDir(), "none"), change); err == nil {
		t.Error("a file that is not there was changed")
	}
}
