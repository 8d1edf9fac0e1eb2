package json5

import (
	"fmt"
	"strings"
	"testing"
)

// bigText is a configuration of about that many bytes, with comments, as OpenClaw's look.
func bigText(size int) []byte {
	var out strings.Builder
	out.WriteString("{\n  // a big one\n  agents: {\n    list: [\n")
	for i := 0; out.Len() < size; i++ {
		fmt.Fprintf(&out, "      // agent %d\n      {\n        id: \"agent%d\",\n        model: { primary: \"x/y\", fallbacks: [\"a\", \"b\"] }, // models\n        sandbox: { docker: { image: \"img:%d\", memory: \"4g\", binds: [\"/a:/a\", \"/b:/b\"] } },\n      },\n", i, i, i)
	}
	out.WriteString("    ],\n  },\n}\n")
	return []byte(out.String())
}

// BenchmarkEdit is one checked edit, reading included: the path leads by a selector to the last agent.
func BenchmarkEdit(b *testing.B) {
	for _, size := range []int{10_000, 100_000, 1_000_000, 4_000_000} {
		b.Run(fmt.Sprint(size/1000, "kB"), func(b *testing.B) {
			text := bigText(size)
			last := strings.Count(string(text), "// agent ") - 1
			path, err := ParsePath(fmt.Sprintf("agents.list[id=agent%d].sandbox.docker.memory", last))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				doc, err := Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := doc.Set(path, StringValue("8g")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
