package reply

import (
	"fmt"
	"html"
	"strings"
)

// HTML renders the Doc in the tags that Matrix clients accept (Client-Server
// API, "m.room.message msgtypes", suggested HTML subset).
func (d Doc) HTML() string {
	var out strings.Builder
	if len(d) == 1 {
		if only, ok := d[0].(Paragraph); ok {
			only.Line.html(&out)
			return out.String()
		}
	}
	for _, block := range d {
		block.html(&out)
	}
	return out.String()
}

func (p Paragraph) html(out *strings.Builder) {
	out.WriteString("<p>")
	p.Line.html(out)
	out.WriteString("</p>")
}

func (h Heading) html(out *strings.Builder) {
	out.WriteString("<h4>")
	h.Line.html(out)
	out.WriteString("</h4>")
}

func (c Code) html(out *strings.Builder) {
	out.WriteString("<pre><code")
	if c.Language != "" {
		fmt.Fprintf(out, ` class="language-%s"`, html.EscapeString(c.Language))
	}
	out.WriteString(">" + escape(strings.TrimRight(c.Text, "\n")) + "\n</code></pre>")
}

func (l List) html(out *strings.Builder) {
	out.WriteString("<ul>")
	for _, item := range l.Items {
		out.WriteString("<li>")
		item.html(out)
		out.WriteString("</li>")
	}
	out.WriteString("</ul>")
}

func (l Lines) html(out *strings.Builder) {
	out.WriteString("<p>")
	for i, item := range l.Items {
		if i > 0 {
			out.WriteString("<br>")
		}
		item.html(out)
	}
	out.WriteString("</p>")
}

func (t Table) html(out *strings.Builder) {
	t = t.forRoom()
	out.WriteString("<table><thead><tr>")
	for _, name := range t.Head {
		out.WriteString("<th>" + escape(name) + "</th>")
	}
	out.WriteString("</tr></thead><tbody>")
	for _, row := range t.Rows {
		out.WriteString("<tr>")
		for _, cell := range row {
			out.WriteString("<td>")
			for i, line := range asLines(cell) {
				if i > 0 {
					out.WriteString("<br>")
				}
				line.html(out)
			}
			out.WriteString("</td>")
		}
		out.WriteString("</tr>")
	}
	out.WriteString("</tbody></table>")
}

func (l Line) html(out *strings.Builder) {
	for _, part := range l {
		switch part := part.(type) {
		case Span:
			part.html(out)
		case Line:
			part.html(out)
		default:
			out.WriteString(escape(fmt.Sprint(part)))
		}
	}
}

func (s Span) html(out *strings.Builder) {
	text := escape(s.text)
	switch s.kind {
	case monoSpan:
		out.WriteString("<code>" + text + "</code>")
	case boldSpan:
		out.WriteString("<b>" + text + "</b>")
	case linkSpan:
		fmt.Fprintf(out, `<a href="%s">%s</a>`, html.EscapeString(s.href), text)
	default:
		out.WriteString(text)
	}
}

// asLines lets a table's cell be Lines, a Line, a Span or anything that prints.
func asLines(cell any) []Line {
	switch cell := cell.(type) {
	case Lines:
		if len(cell.Items) > 0 {
			return cell.Items
		}
		return []Line{{}}
	case Line:
		return []Line{cell}
	}
	return []Line{{cell}}
}

func escape(text string) string { return html.EscapeString(visible(text)) }

// visible replaces what would act on the reader's screen instead of being
// read: control characters, and the bidirectional and zero-width characters
// that can make a line look like another one.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < 0x20 || (r >= 0x7f && r < 0xa0), r >= 0x200b && r <= 0x200f,
			r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return '�'
		}
		return r
	}, text)
}
