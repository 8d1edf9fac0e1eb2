package arrival

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// hall is a Room in which nobody is.
type hall struct{}

func (hall) HasJoined(context.Context, string, string) bool                     { return false }
func (hall) RoomName(context.Context, string) string                            { return "Friends" }
func (hall) Tell(_ context.Context, before string, _ reply.Doc) (string, error) { return before, nil }

func TestWords(t *testing.T) {
	w := New(Options{Room: hall{}, Lifetime: 30 * time.Minute})
	now := time.Now()
	guest := func(name string, shown, seen, joined bool) store.Guest {
		g := store.Guest{UserID: "@" + name + ":h", Rooms: []string{"!r"}, ShownAt: now.Add(-time.Hour)}
		if shown {
			g.ShownAt = now
		}
		if seen {
			g.SeenAt = now
		}
		if joined {
			g.JoinedAt = now
		}
		return g
	}
	token := guest("tom", false, false, false)
	token.Token, token.TokenUntil = "abc", now.Add(-time.Minute)
	good := token
	good.TokenUntil = now.Add(time.Hour)
	for want, guests := range map[string][]store.Guest{
		"":  {guest("ann", true, false, false)},
		" ": {good},
		"ann has logged in, and is not in Friends yet.":                                                       {guest("ann", true, true, false)},
		"ann has logged in and is in Friends.":                                                                {guest("ann", true, true, true)},
		"ann has not logged in yet, and the card is gone. !passwd ann shows a new one.":                       {guest("ann", false, false, false)},
		"The token for tom was not used in time and is no good any more. !adduser tom --token makes another.": {token},
		"1 of 3 friends have joined. Logged in, but not in every room yet: bob. Not logged in yet: cat.": {
			guest("ann", true, true, true), guest("bob", true, true, false), guest("cat", true, false, false)},
	} {
		if want == " " {
			want = ""
		}
		if got, _ := w.words(context.Background(), guests); got != want {
			t.Errorf("%q\nwant %q", got, want)
		}
	}
}

// Everybody is asked about in turn, ten at a time; who is in, or had no card yet, is not.
func TestQuestionsGoRound(t *testing.T) {
	w := New(Options{Room: hall{}, Lifetime: 30 * time.Minute})
	var guests []store.Guest
	for i := range 25 {
		guests = append(guests, store.Guest{UserID: fmt.Sprintf("@%d:h", i), ShownAt: time.Now()})
	}
	guests = append(guests, store.Guest{UserID: "@in:h", ShownAt: time.Now(), SeenAt: time.Now()}, store.Guest{UserID: "@begun:h"},
		store.Guest{UserID: "@late:h", ShownAt: time.Now().Add(-time.Hour)},
		store.Guest{UserID: "@months:h", ShownAt: time.Now().Add(-time.Hour), Token: "x", TokenUntil: time.Now().Add(time.Hour)})
	asked := map[string]int{}
	for range seldom {
		picked := w.questions(guests)
		if len(picked) > 10 {
			t.Fatalf("%d at once", len(picked))
		}
		for user := range picked {
			asked[user]++
		}
	}
	for i := range 25 {
		if n := asked[fmt.Sprintf("@%d:h", i)]; n < 11 || n > 13 {
			t.Errorf("%d was asked about %d times", i, n)
		}
	}
	if asked["@in:h"]+asked["@begun:h"]+asked["@late:h"] != 0 || asked["@months:h"] > 1 {
		t.Errorf("asked in vain: %v", asked)
	}
}
