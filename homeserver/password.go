package homeserver

import (
	"crypto/rand"
	"math/big"
	"strings"
)

// The letters of a generated password: small ones only, so that a phone's
// keyboard need not be switched, and none that look or sound alike (l, q, c,
// x, y are left out).
const (
	consonants = "bdfghjkmnprstvwz"
	vowels     = "aeiou"
)

// NewPassword makes a one-time password that is easily read out and typed on a
// phone, such as "tavun-mokid-renos-lubaf-pegit": five groups of consonant,
// vowel, consonant, vowel, consonant, which is 5 x log2(16^3 x 5^2) = 83 bits
// from crypto/rand.
func NewPassword() Secret {
	groups := make([]string, 5)
	for i := range groups {
		groups[i] = pick(consonants) + pick(vowels) + pick(consonants) + pick(vowels) + pick(consonants)
	}
	return Secret(strings.Join(groups, "-"))
}

// pick takes one letter, each equally likely. crypto/rand does not fail: it
// ends the program instead.
func pick(letters string) string {
	n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
	i := n.Int64()
	return letters[i : i+1]
}
