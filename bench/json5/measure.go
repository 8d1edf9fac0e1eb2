package json5

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/openclaw/json5"
	"github.com/githabideri/fraktalia/openclaw/npmtest"
)

type bench struct {
	out     io.Writer
	program string
}

// report prints one line; times in milliseconds.
func (b *bench) report(metric string, ours time.Duration, peer string, theirs time.Duration) {
	fmt.Fprintf(b.out, "bench config %s ours=%.3fms %s=%.3fms ratio=%.1f\n", metric, ms(ours), peer, ms(theirs), float64(theirs)/float64(ours))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// text is a configuration of about that many bytes, with comments, as OpenClaw's look.
func text(size int) []byte {
	var out strings.Builder
	out.WriteString("{\n  meta: { lastTouchedVersion: \"2026.9.6\" },\n  gateway: { mode: \"local\" },\n  agents: {\n    ownership: \"explicit\",\n    entries: {\n")
	for i := 0; out.Len() < size; i++ {
		fmt.Fprintf(&out, "      // agent %d\n      agent%d: {\n        name: \"Agent %d\", // its name\n        model: { primary: \"x/y\", fallbacks: [\"a/a\", \"b/b\"] },\n        sandbox: { docker: { image: \"img:%d\", memory: \"4g\" } },\n      },\n", i, i, i, i)
	}
	out.WriteString("    },\n  },\n}\n")
	return []byte(out.String())
}

// lastPath leads to a value at the end of the text, the worst place for a reader.
func lastPath(text []byte) string {
	return fmt.Sprintf("agents.entries.agent%d.sandbox.docker.memory", bytes.Count(text, []byte("// agent "))-1)
}

// median runs f some times and gives the middle time.
func median(runs int, f func() error) (time.Duration, error) {
	times := make([]time.Duration, runs)
	for i := range times {
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times[runs/2], nil
}

// edit reads, changes and proves, as the room's commands do.
func edit(text []byte) (time.Duration, error) {
	path, err := json5.ParsePath(lastPath(text))
	if err != nil {
		return 0, err
	}
	return median(21, func() error {
		doc, err := json5.Parse(text)
		if err != nil {
			return err
		}
		_, err = doc.Set(path, json5.StringValue("8g"))
		return err
	})
}

// nodeEdit is the same by npm json5 in a node that runs already: parse, set, print. It keeps no comments.
const nodeEdit = `
const JSON5 = require('json5'), text = require('fs').readFileSync(process.argv[1], 'utf8'), path = process.argv[2].split('.')
const times = []
for (let i = 0; i < 21; i++) {
  const start = process.hrtime.bigint()
  const root = JSON5.parse(text)
  let at = root
  for (const name of path.slice(0, -1)) at = at[name]
  at[path[path.length - 1]] = '8g'
  JSON5.parse(JSON5.stringify(root, null, 2))
  times.push(Number(process.hrtime.bigint() - start))
}
times.sort((a, b) => a - b)
console.log(times[10])
`

func (b *bench) inProcess() error {
	dir, err := npmtest.Install(npmtest.JSON5)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		size int
	}{{"edit-10kB", 10_000}, {"edit-1MB", 1_000_000}} {
		content := text(c.size)
		ours, err := edit(content)
		if err != nil {
			return err
		}
		theirs, err := inNode(dir, content)
		if err != nil {
			return err
		}
		b.report(c.name, ours, "node-json5", theirs)
	}
	return nil
}

func inNode(dir string, content []byte) (time.Duration, error) {
	file, err := os.CreateTemp("", "bench-*.json5")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // a file in the folder for temporary ones
	if _, err := file.Write(content); err != nil {
		return 0, err
	}
	cmd := exec.Command("node", "-e", nodeEdit, file.Name(), lastPath(content))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("node: %w", err)
	}
	var nanoseconds int64
	_, err = fmt.Sscan(string(out), &nanoseconds)
	return time.Duration(nanoseconds), err
}

// linear compares the time for each byte at 4 MB with that at 250 kB: 1 is perfectly linear.
func (b *bench) linear() error {
	small, large := text(250_000), text(4_000_000)
	forSmall, err := edit(small)
	if err != nil {
		return err
	}
	forLarge, err := edit(large)
	if err != nil {
		return err
	}
	perByte := func(d time.Duration, text []byte) float64 { return float64(d) / float64(len(text)) }
	ours, base := perByte(forLarge, large), perByte(forSmall, small)
	fmt.Fprintf(b.out, "bench config linear ours-4MB=%.1fns/B ours-250kB=%.1fns/B ratio=%.2f\n", ours, base, ours/base)
	return nil
}
