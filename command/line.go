package command

import (
	"strings"
	"unicode/utf8"

	"github.com/google/shlex"
)

// MaxLine is the longest command line that is read, in bytes. Nothing that a
// person types comes near; a paste by accident is answered, not parsed.
const MaxLine = 16 << 10

// IsCommand tells whether a message is meant for this program: an exclamation
// mark with a letter behind it.
func IsCommand(body string) bool {
	if len(body) < 2 || body[0] != '!' {
		return false
	}
	letter := body[1] | 0x20
	return letter >= 'a' && letter <= 'z'
}

// Split cuts a command line, without its "!", into words as a shell does. It
// differs where people in chats differ from shells: typographic quotes (phones
// make them) are quotes, a word that starts with # is a room's alias and not a
// comment, an apostrophe without a partner is a letter, and a long dash in
// front of a flag is two dashes.
func Split(line string) ([]string, error) {
	switch {
	case len(line) > MaxLine:
		return nil, Sorry("That line is too long: %d kB, and %d kB is the most I read.", len(line)>>10, MaxLine>>10)
	case !utf8.ValidString(line) || strings.ContainsRune(line, 0):
		return nil, Sorry("That line has characters in it that no command can have.")
	}
	line = typographic.Replace(line)
	words, err := shlex.Split(protect(line, false))
	if err != nil {
		words, err = shlex.Split(protect(line, true))
	}
	if err != nil {
		return nil, Sorry("A quotation mark is missing its partner: close it, or leave it out.")
	}
	for i, word := range words {
		if rest, ok := strings.CutPrefix(word, "—"); ok && rest != "" {
			words[i] = "--" + rest
		}
	}
	return words, nil
}

// typographic maps the quotes that keyboards of phones make to plain ones.
var typographic = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‟", `"`, "‘", "'", "’", "'", "‚", "'", "‛", "'")

// protect escapes what the splitter would take amiss: a # at the start of a
// word outside quotes, where it sees a comment that hides the rest of the
// line, and, where asked, apostrophes.
func protect(line string, apostrophes bool) string {
	var out strings.Builder
	var quote rune
	start, escaped := true, false
	for _, r := range line {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case r == '\'' && apostrophes && quote == 0:
			out.WriteByte('\\')
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '#' && start:
			out.WriteByte('\\')
		}
		out.WriteRune(r)
		start = quote == 0 && !escaped && (r == ' ' || r == '\t' || r == '\n' || r == '\r')
	}
	return out.String()
}

// wordAt gives word n of a line as it was typed, quotes and all, and what
// follows it. Words are those of Split.
func wordAt(line string, n int) (word, rest string) {
	_, err := shlex.Split(protect(typographic.Replace(line), false))
	for rest = line; n >= 0; n-- {
		word, rest = cutWord(rest, err != nil)
	}
	return word, strings.Trim(rest, blanks)
}

// cutWord cuts the first word off a line; apostrophes says that these are
// letters and no quotes.
func cutWord(line string, apostrophes bool) (word, rest string) {
	line = strings.TrimLeft(line, blanks)
	var quote rune
	escaped := false
	for i, r := range line {
		plain := straight(r)
		switch {
		case escaped:
			escaped = false
		case plain == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if plain == quote {
				quote = 0
			}
		case plain == '"' || plain == '\'' && !apostrophes:
			quote = plain
		case strings.ContainsRune(blanks, r):
			return line[:i], line[i:]
		}
	}
	return line, ""
}

// blanks part words.
const blanks = " \t\n\r"

// straight is a quote as it was meant, which a phone may have bent.
func straight(r rune) rune {
	switch r {
	case '“', '”', '„', '‟':
		return '"'
	case '‘', '’', '‚', '‛':
		return '\''
	}
	return r
}
