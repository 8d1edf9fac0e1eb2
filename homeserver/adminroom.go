package homeserver

import (
	"context"
	"strings"
	"unicode"
)

// say says a command in the admin room and returns the answer. The room is not
// encrypted: a Secret is no string and cannot get here without being revealed,
// which nobody may do for this. The server splits words at white space, so none
// may have any.
func say(ctx context.Context, room AdminRoom, action string, words ...string) (string, error) {
	for _, w := range words {
		if w == "" || strings.ContainsFunc(w, func(char rune) bool { return unicode.IsSpace(char) || unicode.IsControl(char) }) {
			return "", ErrInvalidName{Name: w, Reason: ReasonRefused}
		}
	}
	answer, err := room.Command(ctx, strings.Join(words, " "))
	if err != nil {
		return "", err
	}
	if failure := failed(answer); failure != "" {
		return "", ErrResponse{Action: action, Status: 200, Message: failure}
	}
	return answer, nil
}

// failed is what went wrong with a command; "" where nothing did. A table of
// the log may stand before it, so it is looked for and not expected at the
// beginning (src/admin/processor.rs of both servers).
func failed(answer string) string {
	if _, rest, ok := strings.Cut(answer, "Command failed with error:"); ok {
		return strings.Trim(strings.TrimSpace(rest), "`\n ")
	}
	for line := range strings.Lines(answer) {
		if rest, ok := strings.CutPrefix(line, "error:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// fenced is what stands between ``` in an answer.
func fenced(answer string) []string {
	_, rest, _ := strings.Cut(answer, "```\n")
	text, _, _ := strings.Cut(rest, "\n```")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
