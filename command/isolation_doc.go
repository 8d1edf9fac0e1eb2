package command

import (
	"fmt"

	"github.com/githabideri/fraktalia/firewall/probe"
	"github.com/githabideri/fraktalia/reply"
)

// IsolationDoc tells what was tried from inside, what was expected and what was
// seen.
func IsolationDoc(r probe.Report) reply.Doc {
	surprises := r.Surprises()
	doc := reply.Doc{}
	if n := len(surprises); n > 0 {
		doc = append(doc, reply.P("❌ "+surpriseText(r, n)))
	} else {
		doc = append(doc, reply.P(fmt.Sprintf("✅ All %d tries from inside %s went as expected.", len(r.Findings), r.Network)))
	}
	if r.Offline {
		doc = append(doc, reply.P("⚠️ This machine itself does not reach the internet now, so it is not proved that sandboxes do."))
	}
	table := reply.Table{Head: []string{"", "what", "address", "expected", "seen"}}
	table.Rows = append(table.Rows, isolationRows(r.Findings)...)
	return append(doc, table)
}

// surpriseText tells that there were n surprises, and what to do.
func surpriseText(r probe.Report, n int) string {
	return fmt.Sprintf("%d of %d tries from inside were a surprise. What runs on %s is not isolated as it should be. sudo fraktalia firewall apply in the machine's shell repairs the rules.", n, len(r.Findings), r.Network)
}

// isolationRows puts the protocols that agree into one row.
func isolationRows(findings []probe.Finding) (rows [][]any) {
	joined := map[int]bool{}
	for i, f := range findings {
		if joined[i] {
			continue
		}
		protocols := f.Protocol
		for j := i + 1; j < len(findings); j++ {
			other := findings[j]
			if other.Name == f.Name && other.Addr == f.Addr && other.Want == f.Want && other.How == f.How && other.By == f.By && other.Verdict == f.Verdict {
				protocols, joined[j] = protocols+", "+other.Protocol, true
			}
		}
		rows = append(rows, []any{verdictSign(f.Verdict), f.Name, fmt.Sprintf("%s %s", f.Addr, protocols), string(f.Want), outcomeText(f)})
	}
	return rows
}

func verdictSign(v probe.Verdict) string {
	return map[probe.Verdict]string{probe.Right: "✅", probe.Surprise: "❌", probe.Unproven: "⚠️"}[v]
}

// outcomeText tells what came of a try.
func outcomeText(f probe.Finding) string {
	switch f.How {
	case probe.Open:
		return "open"
	case probe.Refused:
		return "reached; nothing listens there"
	case probe.Prohibited:
		return "refused by " + f.By.String()
	case probe.Lost:
		if f.By.IsValid() {
			return "let out; " + f.By.String() + " finds nobody"
		}
		return "unreachable"
	case probe.NoRoute:
		if f.By.IsValid() {
			return f.By.String() + " has no way there"
		}
		return "no way there"
	}
	return "no answer"
}
