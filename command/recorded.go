package command

import (
	"errors"
	"strconv"
	"strings"

	"github.com/githabideri/fraktalia/reply"
)

// recordKey says how many words behind a command's name are kept in records;
// what follows them is a value that may be secret.
const recordKey = "record"

// Recorded is a line as it may be kept once its command has ended: without
// what may be a secret. It may begin with "!" or not. Of a line that is no
// command only the first word is kept: the name may have been mistyped.
func Recorded(line string) string {
	bare, marked := strings.CutPrefix(line, "!")
	words, err := Split(bare)
	if err != nil {
		words = strings.Fields(bare)
	}
	if len(words) == 0 {
		return line
	}
	most := 0
	if cmd, err := find((&run{}).tree(), Request{Args: words}); err == nil {
		if most, err = strconv.Atoi(cmd.Annotations[recordKey]); err != nil {
			return line // a command without secrets
		}
	}
	last := 1 // the first word that is left out
	for last < len(words) && strings.HasPrefix(words[last], "-") {
		last++ // a flag in front of the words
	}
	if last += most; last >= len(words) {
		return line
	}
	kept := strings.Join(words[:last], " ") + " …"
	if marked {
		return "!" + kept
	}
	return kept
}

// RecordedOutcome is what may be kept of how a command ended: doc is what
// people read of answer or err.
func RecordedOutcome(doc reply.Doc, answer reply.Answer, err error) string {
	var problem *Problem
	private := answer.Private || errors.As(err, &problem) && problem.Private
	if private && len(doc) > 1 {
		doc = doc[:1]
	}
	return doc.Text()
}
