package homeserver_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/homeserver"
)

func TestLocalpart(t *testing.T) {
	const server = "home.example"
	long := strings.Repeat("a", 241)
	for typed, want := range map[string]string{
		"alice":               "alice",
		"@alice":              "alice",
		" alice ":             "alice",
		"@alice:home.example": "alice",
		"alice:home.example":  "alice",
		"a.b_c=d-e/f+9":       "a.b_c=d-e/f+9",
		long:                  long,
		"":                    "empty ",
		"@":                   "empty ",
		"Alice":               "uppercase alice",
		"ÄLICE":               "character lice",
		"al ice":              "character al.ice",
		"al\x00ice":           "character alice",
		"алиса":               "character ",
		"alice:other":         "character aliceother",
		"@alice:other.org":    "other server ",
		"_bridge":             "underscore bridge",
		"4711":                "digits ",
		long + "a":            "too long ",
	} {
		got, err := homeserver.Localpart(typed, server)
		var invalid homeserver.ErrInvalidName
		if errors.As(err, &invalid) {
			got = string(invalid.Reason) + " " + invalid.Suggested
		}
		if got != want {
			t.Errorf("Localpart(%q) = %q, %v, want %q", typed, got, err, want)
		}
	}
}

// Whatever is suggested must do.
func FuzzSuggestion(f *testing.F) {
	for _, seed := range []string{"Alice", "a b", "_x", "1 2", "Ää", "..", "=A"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		var invalid homeserver.ErrInvalidName
		if !errors.As(homeserver.ValidLocalpart(name, "x"), &invalid) || invalid.Suggested == "" {
			return
		}
		if err := homeserver.ValidLocalpart(invalid.Suggested, "x"); err != nil {
			t.Errorf("%q: suggested %q: %v", name, invalid.Suggested, err)
		}
	})
}

func TestNewPassword(t *testing.T) {
	shape := regexp.MustCompile(`^([a-z]{5}-){4}[a-z]{5}$`)
	seen := map[homeserver.Secret]bool{}
	for range 1000 {
		password := homeserver.NewPassword()
		if !shape.MatchString(password.Reveal()) || seen[password] {
			t.Fatalf("password %q", password.Reveal())
		}
		seen[password] = true
	}
}

func TestSecretHidesItself(t *testing.T) {
	secret := homeserver.Secret("hunter2")
	holder := struct{ Password homeserver.Secret }{secret}
	text, _ := secret.MarshalText()
	for _, shown := range []string{
		fmt.Sprint(secret), fmt.Sprintf("%s %v %q %x %#v", secret, secret, secret, secret, secret),
		fmt.Sprintf("%+v %#v", holder, holder), string(text),
		fmt.Errorf("%w", homeserver.ErrWrongPassword{User: "alice"}).Error(),
	} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, "68756e746572") {
			t.Errorf("shown: %s", shown)
		}
	}
}
