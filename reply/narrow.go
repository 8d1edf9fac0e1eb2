package reply

import "slices"

// roomWidth is how many characters of a table's row a message shows beside one
// another: Element in a window of 1100 pixels cuts off what is wider, and
// telephones do so earlier.
const roomWidth = 56

// forRoom is the table as a room shows it: one that is too wide has two
// columns, what a row is about and all else about it, in lines.
func (t Table) forRoom() Table {
	ragged := slices.ContainsFunc(t.Rows, func(row []any) bool { return len(row) != len(t.Head) })
	if t.wide() <= roomWidth || len(t.Head) < 3 || ragged {
		return t
	}
	keys := 1
	if t.Head[0] == "" { // a mark: it stands before the name
		keys = 2
	}
	narrow := Table{Head: []string{t.Head[keys-1], ""}}
	said := t.said(keys)
	if len(said) == 1 { // it needs no name in each row
		narrow.Head[1] = t.Head[said[0]]
	}
	for _, row := range t.Rows {
		narrow.Rows = append(narrow.Rows, []any{t.key(row[:keys]), t.details(row, said)})
	}
	return narrow
}

// said are the columns from one on in which anything stands.
func (t Table) said(from int) (columns []int) {
	for column := from; column < len(t.Head); column++ {
		if slices.ContainsFunc(t.Rows, func(row []any) bool { return asLines(row[column])[0].String() != "" }) {
			columns = append(columns, column)
		}
	}
	return columns
}

func (t Table) wide() int {
	rows := [][]string{t.Head}
	for _, row := range t.Rows {
		rows = append(rows, textRows(row)...)
	}
	sum := 0
	for _, w := range columnWidths(rows) {
		sum += w + 2
	}
	return sum
}

// key joins the cells that say what a row is about: a mark and a name, or a name.
func (t Table) key(cells []any) Lines {
	lines := Lines{Items: asLines(cells[len(cells)-1])}
	if mark := asLines(cells[0])[0]; len(cells) > 1 && mark.String() != "" {
		first := append(append(Line{}, mark...), "\u00a0") // a mark stands alone on no line
		lines.Items = append([]Line{append(first, lines.Items[0]...)}, lines.Items[1:]...)
	}
	return lines
}

// details are the cells of some columns, each after its column's name.
func (t Table) details(row []any, columns []int) Lines {
	var lines Lines
	for _, column := range columns {
		for i, line := range asLines(row[column]) {
			if line.String() == "" {
				continue
			}
			if i == 0 && t.Head[column] != "" && len(columns) > 1 {
				line = append(Line{t.Head[column] + ": "}, line...)
			}
			lines.Items = append(lines.Items, line)
		}
	}
	return lines
}
