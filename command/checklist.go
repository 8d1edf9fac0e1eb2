package command

import (
	"github.com/githabideri/fraktalia/reply"
)

// checklist is shown in one message that fills up.
type checklist struct {
	title reply.Line
	items []checkItem
	talk  Conversation
}

type checkItem struct {
	mark string
	text reply.Line
	note string // what came of it
}

// Marks of a checklist.
const (
	toCome  = "▫️"
	working = "⏳"
	did     = "✅"
	failed  = "❌"
	undid   = "↩️"
	stays   = "⚠️"
)

// add puts lines at the end, and gives the numbers of the first and of the one
// behind the last.
func (l *checklist) add(texts ...reply.Line) (from, to int) {
	from = len(l.items)
	for _, text := range texts {
		l.items = append(l.items, checkItem{mark: toCome, text: text})
	}
	return from, len(l.items)
}

// mark sets some lines' mark, and the last one's note, and shows the list.
func (l *checklist) mark(from, to int, mark, note string) {
	for i := from; i < to; i++ {
		l.items[i].mark = mark
	}
	if note != "" && to > from {
		l.items[to-1].note = note
	}
	l.talk.Update(l.doc())
}

func (l *checklist) doc() reply.Doc {
	var lines reply.Lines
	for _, item := range l.items {
		line := append(reply.Line{item.mark + " "}, item.text...)
		if item.note != "" {
			line = append(line, ": "+item.note)
		}
		lines.Items = append(lines.Items, line)
	}
	return reply.Doc{reply.Paragraph{Line: l.title}, lines}
}
