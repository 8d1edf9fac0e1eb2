package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// addresses are compared as values.
var addresses = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{})

func TestShippedExampleLoads(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "fraktalia.yaml")
	if err := os.WriteFile(path, []byte(Example), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Forwards.Range != (PortRange{9000, 9099}) || c.Data != folder || c.Bot.PasswordFile != folder+"/secrets/bot-password" {
		t.Errorf("%+v", c)
	}
	home, _ := os.UserHomeDir()
	if c.OpenClaw.Config != home+"/.openclaw/openclaw.json" {
		t.Errorf("openclaw.config is %s", c.OpenClaw.Config)
	}
}

// Every key of the struct stands in the example, and the defaults agree.
func TestExampleAgreesWithDefaults(t *testing.T) {
	c, err := parse([]byte(Example), "example", "/x")
	if err != nil {
		t.Fatal(err)
	}
	d := Default()
	d.resolve("/x")
	d.Homeserver, d.Bot, d.Owners = c.Homeserver, c.Bot, c.Owners
	if diff := cmp.Diff(d, c, addresses); diff != "" {
		t.Error(diff)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := parse([]byte("homserver: {}\nbot: {user_id: fraktalia, name: x}\nforwards: {range: 99-9}\nsandbox: {fix_permissions: every 5}\nowners: [\"@a\"]\n"), "f.yaml", "/x")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`no key "homserver"`, `no key "name"`, `"99-9" is no range of ports`, `"every 5" is no schedule`, `"fraktalia" is no account id`,
		`owners: "@a" is no account id`, "homeserver.address", "homeserver.server_name"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in:\n%v", want, err)
		}
	}
}

func TestWrittenFileKeepsExplanationsAndLoads(t *testing.T) {
	c := Default()
	c.Homeserver = Homeserver{Address: "http://127.0.0.1:8008", ServerName: "box", RegistrationSecretFile: "secrets/s"}
	c.Bot = Bot{UserID: "@bot:box", PasswordFile: "secrets/p"}
	c.Owners = []string{"@a:box", "@b:box"}
	path := filepath.Join(t.TempDir(), "fraktalia.yaml")
	if err := Write(path, c); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	c.File = path
	c.resolve(filepath.Dir(path))
	if diff := cmp.Diff(c, got, addresses); diff != "" {
		t.Error(diff)
	}
	text, _ := os.ReadFile(path)
	if !strings.Contains(string(text), "# The ports that !forward may open") {
		t.Error("explanations are gone")
	}
	if err := Write(path, c); err == nil {
		t.Error("an existing file was overwritten")
	}
}

func TestSchedule(t *testing.T) {
	for text, want := range map[string]time.Duration{"every 5m": 5 * time.Minute, "every 1h": time.Hour, "\"\"": 0} {
		c, err := parse([]byte(strings.Replace(Example, `fix_permissions: ""`, "fix_permissions: "+text, 1)), "x", "/x")
		if err != nil || c.Sandbox.FixPermissions.Every() != want {
			t.Errorf("%s is %s, %v", text, c.Sandbox.FixPermissions.Every(), err)
		}
	}
	for _, text := range []string{"5m", "every 1s", "every", "every -5m"} {
		if _, err := parse([]byte(strings.Replace(Example, `fix_permissions: ""`, "fix_permissions: "+text, 1)), "x", "/x"); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
