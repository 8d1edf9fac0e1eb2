package sandbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// recording is the answer of a real engine to a build of two stages, as it
// came. The engine was 20.10.24; 28.5.2 speaks the same.
func recording(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "build", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// traces are the recording's BuildKit traces, still encoded.
func traces(t testing.TB, name string) [][]byte {
	t.Helper()
	var found [][]byte
	for lines := bufio.NewScanner(bytes.NewReader(recording(t, name))); lines.Scan(); {
		var message struct {
			ID  string
			Aux json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &message); err != nil {
			t.Fatal(err)
		}
		if message.ID != traceMessage {
			continue
		}
		var raw []byte
		if err := json.Unmarshal(message.Aux, &raw); err != nil {
			t.Fatal(err)
		}
		found = append(found, raw)
	}
	return found
}

func TestDecodeTrace(t *testing.T) {
	last := make(map[string]traceVertex)
	var text []byte
	for _, raw := range traces(t, "buildkit-failed") {
		decoded, err := decodeTrace(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, vertex := range decoded.vertexes {
			last[vertex.name] = vertex
		}
		for _, log := range decoded.logs {
			text = append(text, log.text...)
		}
	}
	failed := last["[stage-1 3/3] RUN echo second stage; exit ${STATUS:-3}"]
	if failed.failure != "executor failed running [/bin/sh -c echo second stage; exit ${STATUS:-3}]: exit code: 3" ||
		failed.cached || failed.started.Year() != 2026 || !failed.completed.After(failed.started) {
		t.Errorf("failed step %+v", failed)
	}
	if cached := last["[stage-1 2/3] COPY --from=tools /etc/hostname /tmp/x"]; !cached.cached || cached.failure != "" {
		t.Errorf("cached step %+v", cached)
	}
	if string(text) != "second stage\n" {
		t.Errorf("log %q", text)
	}
}

func TestDecodeTraceRefusesWhatIsCut(t *testing.T) {
	for _, raw := range traces(t, "buildkit-good") {
		if _, err := decodeTrace(raw[:len(raw)-1]); err == nil {
			t.Errorf("no error for a message without its last byte: %x", raw)
		}
	}
}

func FuzzDecodeTrace(f *testing.F) {
	for _, raw := range traces(f, "buildkit-good") {
		f.Add(raw)
	}
	f.Fuzz(func(_ *testing.T, raw []byte) { _, _ = decodeTrace(raw) })
}
