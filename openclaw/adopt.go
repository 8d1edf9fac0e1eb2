package openclaw

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/githabideri/fraktalia/openclaw/json5"
)

// AdoptName is what the entries are called that Adopt makes: a Matrix account and a provider of secrets.
const AdoptName = "fraktalia"

// Adoption is what an OpenClaw that somebody has set up gets, so that one of its agents answers in a room of ours.
type Adoption struct {
	Agent      string // who answers; empty where there is no agent yet
	Room       string
	Homeserver string // its address
	User       string // the agent's account there
	// PasswordFile holds the account's password: the configuration names it, and does not hold it.
	PasswordFile string
}

// Adopt adds an account on our homeserver beside what the Matrix channel has, binds the room, and has the gateway tell
// whether it applied a change, where it listens on its own machine only. What is there already is not changed. Errors:
// those of Bind.
func Adopt(a Adoption) EditFunc {
	return InTurn(a.plugin("matrix"), a.tells, a.provider, a.account, func(c *Config) ([]json5.Operation, error) {
		if a.Agent == "" {
			return nil, nil
		}
		account := c.accountOf(a.User)
		bind := BindRoom{AgentID: a.Agent, Room: a.Room, Account: account, Join: true, Settings: c.roomSettings(account)}
		return Bind(bind)(c)
	})
}

// plugin switches a plugin on, and puts it on the list of those that may be where there is one.
func (a Adoption) plugin(name string) EditFunc {
	return func(c *Config) ([]json5.Operation, error) {
		var list []json5.Operation
		plugins := json5.Path{json5.Key("plugins")}
		enabled := plugins.Then(json5.Key("entries"), json5.Key(name), json5.Key("enabled"))
		if v, _ := follow(c.Value(), enabled); !v.Bool {
			list = append(list, json5.Operation{Verb: json5.Set, Path: enabled, Value: json5.BoolValue(true)})
		}
		allowed, _ := follow(c.Value(), plugins.Then(json5.Key("allow")))
		if len(allowed.Items) > 0 && !holds(allowed, name) {
			list = append(list, json5.Operation{Verb: json5.Append, Path: plugins.Then(json5.Key("allow")), Value: json5.StringValue(name)})
		}
		return list, nil
	}
}

// tells switches on what says whether a change was applied. It may do all that an operator may, so a gateway that listens
// for other machines is left without.
func (a Adoption) tells(c *Config) ([]json5.Operation, error) {
	bind, there := follow(c.Value(), json5.Path{json5.Key("gateway"), json5.Key("bind")})
	if there && bind.Text != "loopback" {
		return nil, nil
	}
	return a.plugin("admin-http-rpc")(c)
}

func (a Adoption) provider(c *Config) ([]json5.Operation, error) {
	path := json5.Path{json5.Key("secrets"), json5.Key("providers"), json5.Key(AdoptName)}
	if c.accountOf(a.User) != "" || c.has(path) || c.MatrixUser("") == a.User {
		return nil, nil
	}
	return []json5.Operation{{Verb: json5.Set, Path: path, Value: json5.ObjectValue(
		json5.Member{Key: "source", Value: json5.StringValue("file")},
		json5.Member{Key: "path", Value: json5.StringValue(a.PasswordFile)},
		json5.Member{Key: "mode", Value: json5.StringValue("singleValue")})}}, nil
}

// account adds the account: as the channel where there is none, else beside its others.
func (a Adoption) account(c *Config) ([]json5.Operation, error) {
	if c.accountOf(a.User) != "" || c.MatrixUser("") == a.User {
		return nil, nil
	}
	if !c.has(matrixPath()) {
		return []json5.Operation{{Verb: json5.Set, Path: matrixPath(), Value: a.settings()}}, nil
	}
	accounts := matrixPath().Then(json5.Key("accounts"))
	list := []json5.Operation{{Verb: json5.Set, Path: accounts.Then(json5.Key(AdoptName)), Value: a.settings()}}
	have, _ := follow(c.Value(), accounts)
	if len(have.Members) == 1 && !c.has(matrixPath().Then(json5.Key("userId"))) && !c.has(matrixPath().Then(json5.Key("defaultAccount"))) {
		// The only account was the default one by being the only one.
		list = append(list, json5.Operation{Verb: json5.Set, Path: matrixPath().Then(json5.Key("defaultAccount")), Value: json5.StringValue(have.Members[0].Key)})
	}
	return list, nil
}

// settings are those of an account that hears the rooms it is bound to, and nothing else.
func (a Adoption) settings() json5.Value {
	text := func(key, value string) json5.Member { return json5.Member{Key: key, Value: json5.StringValue(value)} }
	yes := json5.BoolValue(true)
	return json5.ObjectValue(
		json5.Member{Key: "enabled", Value: yes}, text("homeserver", a.Homeserver), text("userId", a.User),
		json5.Member{Key: "password", Value: json5.ObjectValue(text("source", "file"), text("provider", AdoptName), text("id", "value"))},
		text("deviceName", "OpenClaw"), json5.Member{Key: "encryption", Value: yes},
		json5.Member{Key: "network", Value: json5.ObjectValue(json5.Member{Key: "dangerouslyAllowPrivateNetwork", Value: yes})},
		json5.Member{Key: "dm", Value: json5.ObjectValue(text("policy", "disabled"))},
		text("groupPolicy", "allowlist"), json5.Member{Key: "groups", Value: json5.ObjectValue()},
		text("autoJoin", "allowlist"), json5.Member{Key: "autoJoinAllowlist", Value: json5.ArrayValue()})
}

// accountOf is the named account of a user; empty for none, or for the channel's own.
func (c *Config) accountOf(user string) string {
	accounts, _ := follow(c.Value(), matrixPath().Then(json5.Key("accounts")))
	for _, m := range accounts.Members {
		if text(m.Value, "userId") == user {
			return m.Key
		}
	}
	return ""
}

// AccountOn is the Matrix account with which an agent speaks in rooms of a server: the one it has, where that is on the
// server; else the default one, or another that is, rather one with which no other agent speaks. Where none is known to
// be, it is the one it has.
func (c *Config) AccountOn(server, agent string) string {
	names := []string{c.MatrixAccount(agent), ""}
	var others []string
	accounts, _ := follow(c.Value(), matrixPath().Then(json5.Key("accounts")))
	for _, m := range accounts.Members {
		if c.othersSpeak(agent, m.Key) {
			others = append(others, m.Key)
			continue
		}
		names = append(names, m.Key)
	}
	for _, name := range append(names, others...) {
		if strings.HasSuffix(c.MatrixUser(name), ":"+server) {
			return name
		}
	}
	return names[0]
}

// othersSpeak says whether another agent is bound to an account by its name.
func (c *Config) othersSpeak(agent, account string) bool {
	return slices.ContainsFunc(c.Bindings(), func(b Binding) bool {
		return b.Channel == "matrix" && b.Account == account && b.AgentID != agent
	})
}

// roomSettings are those of a room in which everybody is heard, also where the channel hears only some.
func (c *Config) roomSettings(account string) []json5.Member {
	settings := slices.Clone(AnswersAll())
	for _, base := range []json5.Path{c.accountPath(account), matrixPath()} {
		if listed, there := follow(c.Value(), base.Then(json5.Key("groupAllowFrom"))); there && len(listed.Items) > 0 {
			return append(settings, json5.Member{Key: "users", Value: json5.ArrayValue(json5.StringValue("*"))})
		}
	}
	return settings
}

// FirstHearing is the first release whose Matrix plugin takes an id without a server's name, as every room has since
// version 12 of rooms, for a room's. Older ones drop without a word what is said there.
const FirstHearing = "2026.8"

// Deaf says whether a release is older than that.
func Deaf(version string) bool {
	var year, month, least, first int
	if n, err := fmt.Sscanf(version, "%d.%d", &year, &month); err != nil || n != 2 {
		return false
	}
	_, _ = fmt.Sscanf(FirstHearing, "%d.%d", &least, &first)
	return year < least || year == least && month < first
}

// Contents lists what is in the configuration's files, in the order of their names.
func (c *Config) Contents() [][]byte {
	var list [][]byte
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		list = append(list, c.files[name].Bytes())
	}
	return list
}
