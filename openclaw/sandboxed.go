package openclaw

import "github.com/githabideri/fraktalia/openclaw/json5"

// Sandboxed is what the entry of an agent says that works in a sandbox of its own.
type Sandboxed struct {
	Name      string // that it is shown by
	Workspace string
	Image     string
	User      string // the container's, by number: 1000:1000
	Network   string // empty: the one that all have
	Model     string // empty: the one that all have
}

// Settings are its members, for a NewAgent.
func (s Sandboxed) Settings() []json5.Member {
	text := func(key, value string) json5.Member {
		return json5.Member{Key: key, Value: json5.StringValue(value)}
	}
	docker := []json5.Member{text("image", s.Image), text("user", s.User)}
	if s.Network != "" {
		docker = append(docker, text("network", s.Network))
	}
	settings := []json5.Member{text("workspace", s.Workspace)}
	if s.Model != "" {
		settings = append(settings, text("model", s.Model))
	}
	return append(settings,
		json5.Member{Key: "identity", Value: json5.ObjectValue(text("name", s.Name))},
		json5.Member{Key: "sandbox", Value: json5.ObjectValue(text("mode", "all"), text("scope", "agent"), text("workspaceAccess", "rw"),
			json5.Member{Key: "docker", Value: json5.ObjectValue(docker...)})})
}

// AnswersAll are the settings of a room in which an agent answers without being named.
func AnswersAll() []json5.Member {
	return []json5.Member{{Key: "autoReply", Value: json5.BoolValue(true)}}
}
