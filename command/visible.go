package command

import (
	"fmt"
	"strings"
	"unicode"
)

// Visible shows text as it is, letter by letter: what a screen would hide or
// turn round (bidirectional marks, zero-width and other control characters,
// spaces that are none) is written as its number.
func Visible(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r == ' ' || unicode.IsPrint(r) && !hides(r) {
			out.WriteRune(r)
			continue
		}
		fmt.Fprintf(&out, `\u{%x}`, r)
	}
	return out.String()
}

// hides says that a printable character can change how its neighbours look, or
// shows nothing: combining marks and variation selectors in excess, fillers.
func hides(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) || unicode.Is(unicode.Me, r)
}
