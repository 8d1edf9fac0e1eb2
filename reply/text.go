package reply

import (
	"fmt"
	"strings"
	"unicode"
)

// Text renders the Doc as plain text: for terminals, and as the body of a
// message for clients that show no HTML. Tables are aligned with spaces.
func (d Doc) Text() string {
	var blocks []string
	for _, block := range d {
		var out strings.Builder
		block.text(&out)
		blocks = append(blocks, strings.TrimRight(out.String(), "\n"))
	}
	return strings.Join(blocks, "\n\n")
}

func (p Paragraph) text(out *strings.Builder) { p.Line.text(out) }
func (h Heading) text(out *strings.Builder)   { h.Line.text(out) }
func (c Code) text(out *strings.Builder)      { out.WriteString(visible(c.Text)) }

func (l List) text(out *strings.Builder) {
	for _, item := range l.Items {
		out.WriteString("• ")
		item.text(out)
		out.WriteByte('\n')
	}
}

func (l Lines) text(out *strings.Builder) {
	for _, item := range l.Items {
		item.text(out)
		out.WriteByte('\n')
	}
}

func (t Table) text(out *strings.Builder) {
	rows := [][]string{t.Head}
	for _, row := range t.Rows {
		rows = append(rows, textRows(row)...)
	}
	widths := columnWidths(rows)
	for _, row := range rows {
		writeRow(out, row, widths)
	}
}

// textRows spreads a row over as many lines as its tallest cell has.
func textRows(row []any) [][]string {
	height := 1
	for _, cell := range row {
		height = max(height, len(asLines(cell)))
	}
	lines := make([][]string, height)
	for i := range lines {
		lines[i] = make([]string, len(row))
		for column, cell := range row {
			if parts := asLines(cell); i < len(parts) {
				lines[i][column] = parts[i].String()
			}
		}
	}
	return lines
}

func writeRow(out *strings.Builder, row []string, widths []int) {
	var line strings.Builder
	for i, cell := range row {
		line.WriteString(cell)
		if i < len(row)-1 {
			line.WriteString(strings.Repeat(" ", widths[i]-width(cell)+2))
		}
	}
	out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

func columnWidths(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	return widths
}

// width is the number of terminal columns of a cell: marks such as ✅ take
// two, combining characters none.
func width(cell string) int {
	n := 0
	for _, r := range cell {
		switch {
		case unicode.Is(unicode.Mn, r) || r == 0xfe0f:
		case r >= 0x1f000 || r == '✅' || r == '❌' || r == '⏳':
			n += 2
		default:
			n++
		}
	}
	return n
}

// String is the line as plain text.
func (l Line) String() string {
	var out strings.Builder
	l.text(&out)
	return out.String()
}

func (l Line) text(out *strings.Builder) {
	for _, part := range l {
		switch part := part.(type) {
		case Span:
			out.WriteString(visible(part.text))
		case Line:
			part.text(out)
		default:
			out.WriteString(visible(fmt.Sprint(part)))
		}
	}
}
