package harness

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Model is a language model of a few words behind OpenAI's interface, on this
// machine: OpenClaw takes it for a real one. Asked to serve a page on a port it
// calls the tool exec, and so it does for the bot's proof of an agent; asked to
// say something it says that; all else it repeats.
type Model struct {
	URL string
	Key string // what it wants; "" for any

	server *http.Server
	mu     sync.Mutex
	asked  []string
}

// ModelName is the one model that it has.
const ModelName = "parrot-1"

// StartModel listens on a free port.
func StartModel(key string) (*Model, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the model: %w", err)
	}
	m := &Model{URL: "http://" + l.Addr().String() + "/v1", Key: key}
	m.server = &http.Server{Handler: m.Handler()}
	go func() { _ = m.server.Serve(l) }()
	return m, nil
}

// Handler is its interface.
func (m *Model) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", m.guard(m.models))
	mux.HandleFunc("POST /v1/chat/completions", m.guard(m.complete))
	return mux
}

// Stop ends it.
func (m *Model) Stop() { _ = m.server.Close() }

// Asked lists what people have said to it, as OpenClaw has put it.
func (m *Model) Asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.asked...)
}

func (m *Model) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if m.Key != "" && r.Header.Get("Authorization") != "Bearer "+m.Key {
			refuse(w, http.StatusUnauthorized, "Incorrect API key provided.")
			return
		}
		next(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message}})
}

func (m *Model) models(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": []any{map[string]any{"id": ModelName, "object": "model"}}})
}

// question is a request for an answer.
type question struct {
	Model    string
	Stream   bool
	Messages []struct {
		Role    string
		Content json.RawMessage
	}
	Tools []struct {
		Function struct{ Name string }
	}
}

// answer is what the model says: words, or a call of a tool.
type answer struct{ text, tool, arguments string }

func (m *Model) complete(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		refuse(w, http.StatusBadRequest, "this is no question")
		return
	}
	if q.Model != ModelName {
		refuse(w, http.StatusNotFound, fmt.Sprintf("The model %q does not exist.", q.Model))
		return
	}
	a := m.answer(q)
	if q.Stream {
		a.stream(w)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": "one", "object": "chat.completion", "created": time.Now().Unix(), "model": ModelName,
		"choices": []any{map[string]any{"index": 0, "finish_reason": a.reason(), "message": a.message()}}, "usage": usage()})
}

var (
	serves = regexp.MustCompile(`serve a page on (\d+)`)
	says   = regexp.MustCompile(`say: "([^"]+)"`)
	runs   = regexp.MustCompile(`run exactly this command in your sandbox, and then answer with the word (\S+) alone:\s*\n([^\n]+)`)
)

// answer looks for what was said last, and for whether it was done after that.
func (m *Model) answer(q question) answer {
	wish, done := "", false
	for _, message := range q.Messages {
		text := said(message.Content)
		switch {
		case message.Role == "tool":
			done = true
		case message.Role == "user" && text != "":
			wish, done = text, false
		}
	}
	m.mu.Lock()
	m.asked = append(m.asked, wish)
	m.mu.Unlock()
	if order := runs.FindStringSubmatch(wish); order != nil {
		if done {
			return answer{text: order[1]}
		}
		return call(strings.TrimSpace(order[2]))
	}
	if found := serves.FindStringSubmatch(wish); found != nil {
		port := found[1]
		if done {
			return answer{text: "The page is on port " + port + "."}
		}
		return call(fmt.Sprintf(`mkdir -p site-%[1]s && echo "page of the agent on %[1]s" >site-%[1]s/index.html && cd site-%[1]s && (setsid python3 -m http.server %[1]s --bind 0.0.0.0 >/dev/null 2>&1 &) ; sleep 1; echo served`, port))
	}
	if found := says.FindStringSubmatch(wish); found != nil {
		return answer{text: found[1]}
	}
	return answer{text: "You said: " + wish}
}

// call has the agent run a command.
func call(command string) answer {
	arguments, _ := json.Marshal(map[string]string{"command": command})
	return answer{tool: "exec", arguments: string(arguments)}
}

// said is what a person has said in a message; "" where OpenClaw itself speaks,
// which it does after what was said, as a user too.
func said(content json.RawMessage) string {
	text := words(content)
	if strings.Contains(text, "BEGIN_OPENCLAW_INTERNAL_CONTEXT") {
		return ""
	}
	if _, after, ok := strings.Cut(text, "```\n\n"); ok { // who says it, and where
		text = after
	}
	text, _, _ = strings.Cut(text, "\n\nRuntime: ")
	return strings.TrimSpace(text)
}

// words is a message's text, which may come in parts.
func words(content json.RawMessage) string {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return text
	}
	var parts []struct{ Text string }
	_ = json.Unmarshal(content, &parts)
	for _, part := range parts {
		text += part.Text + "\n"
	}
	return text
}

func (a answer) reason() string {
	if a.tool != "" {
		return "tool_calls"
	}
	return "stop"
}

func (a answer) message() map[string]any {
	if a.tool == "" {
		return map[string]any{"role": "assistant", "content": a.text}
	}
	return map[string]any{"role": "assistant", "content": nil, "tool_calls": []any{map[string]any{"index": 0, "id": fmt.Sprintf("call_%d", time.Now().UnixNano()), "type": "function",
		"function": map[string]any{"name": a.tool, "arguments": a.arguments}}}}
}

// stream says the answer in one piece and ends.
func (a answer) stream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(choices []any, more map[string]any) {
		body := map[string]any{"id": "one", "object": "chat.completion.chunk", "created": time.Now().Unix(), "model": ModelName, "choices": choices}
		for key, value := range more {
			body[key] = value
		}
		text, _ := json.Marshal(body)
		fmt.Fprintf(w, "data: %s\n\n", text)
	}
	chunk([]any{map[string]any{"index": 0, "delta": a.message(), "finish_reason": nil}}, nil)
	chunk([]any{map[string]any{"index": 0, "delta": map[string]any{}, "finish_reason": a.reason()}}, nil)
	chunk([]any{}, map[string]any{"usage": usage()})
	fmt.Fprint(w, "data: [DONE]\n\n")
}

func usage() map[string]int {
	return map[string]int{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
}
