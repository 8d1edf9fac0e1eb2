package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Mistakes is everything wrong in a file, told at once.
type Mistakes struct {
	File string
	List []string
}

func (m *Mistakes) Error() string {
	return m.File + " cannot be used:\n  " + strings.Join(m.List, "\n  ")
}

func (m *Mistakes) addYAML(err error) {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		m.List = append(m.List, strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	for _, one := range typed.Errors {
		m.List = append(m.List, plainYAML(one))
	}
}

// PlainYAML tells what is wrong in a YAML file, all of it in one line.
func PlainYAML(err error) string {
	var found Mistakes
	found.addYAML(err)
	return strings.Join(found.List, "; ")
}

// plainYAML turns the library's "field x not found in type config.Bot" into
// words for people who do not know Go.
func plainYAML(text string) string {
	if before, after, ok := strings.Cut(text, "field "); ok {
		if name, _, ok := strings.Cut(after, " not found in type"); ok {
			return before + "there is no key \"" + name + "\""
		}
	}
	return text
}

func (c *Config) check() []string {
	var list []string
	say := func(wrong bool, format string, args ...any) {
		if wrong {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	say(!isHTTP(c.Homeserver.Address), "homeserver.address: %q is no http:// or https:// address", c.Homeserver.Address)
	say(c.Homeserver.PublicAddress != "" && !isHTTP(c.Homeserver.PublicAddress),
		"homeserver.public_address: %q is no http:// or https:// address", c.Homeserver.PublicAddress)
	mas := c.Homeserver.MAS
	say(mas.Address != "" && !isHTTP(mas.Address), "homeserver.mas.address: %q is no http:// or https:// address", mas.Address)
	say(mas.Address != "" && (mas.ClientID == "" || mas.SecretFile == ""), "homeserver.mas: client_id and client_secret_file belong to an address")
	say(c.Homeserver.ServerName == "", "homeserver.server_name: missing; it is the part behind the colon of an account id")
	say(!isUserID(c.Bot.UserID), "bot.user_id: %q is no account id such as @fraktalia:family.example", c.Bot.UserID)
	say(len(c.Owners) == 0, "owners: nobody is named; at least one account id must be")
	for _, owner := range c.Owners {
		say(!isUserID(owner), "owners: %q is no account id such as @mila:family.example", owner)
		say(owner == c.Bot.UserID, "owners: the bot's own account cannot be an owner")
	}
	for key, id := range map[string]string{"rooms.admin": c.Rooms.Admin, "rooms.chat": c.Rooms.Chat} {
		say(id != "" && !strings.HasPrefix(id, "!"), "%s: %q is no room id (they begin with \"!\")", key, id)
	}
	oneOf := func(key, value string, allowed ...string) {
		say(!slices.Contains(allowed, value), "%s: %q is none of %s", key, value, strings.Join(allowed, ", "))
	}
	for name := range strings.SplitSeq(c.Forwards.Listen, ",") {
		oneOf("forwards.listen", strings.TrimSpace(name), "loopback", "lan", "tailnet", "any")
	}
	oneOf("log.level", c.Log.Level, "debug", "info", "warning", "error")
	list = append(list, c.Firewall.check()...)
	list = append(list, c.checkBackups()...)
	say(c.Sandbox.Image == "", "sandbox.image: missing")
	_, _, isUser := ParseIDs(c.Sandbox.User)
	say(c.Sandbox.User != "" && !isUser, "sandbox.user: %q is no user and group by number, such as 1000:1000", c.Sandbox.User)
	say(c.Sandbox.Fragment != "" && c.Sandbox.Dockerfile != "", "sandbox.fragment: it goes with the image that is made here; with sandbox.dockerfile, write it there")
	list = append(list, c.checkHosts()...)
	list = append(list, c.checkMetrics()...)
	slices.Sort(list)
	return list
}

func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func isUserID(id string) bool {
	name, server, ok := strings.Cut(strings.TrimPrefix(id, "@"), ":")
	return strings.HasPrefix(id, "@") && ok && name != "" && server != "" && !strings.ContainsAny(id, " \t\n")
}

// ParseIDs reads "1000:1000", a user's and a group's number.
func ParseIDs(text string) (uid, gid int, ok bool) {
	user, group, ok := strings.Cut(text, ":")
	uid, err1 := strconv.Atoi(user)
	gid, err2 := strconv.Atoi(group)
	return uid, gid, ok && err1 == nil && err2 == nil && uid >= 0 && gid >= 0
}

// PortRange is a range of TCP ports, both ends included.
type PortRange struct{ First, Last int }

// Contains tells whether port lies in the range.
func (r PortRange) Contains(port int) bool { return port >= r.First && port <= r.Last }

func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

// UnmarshalYAML reads "9000-9099".
func (r *PortRange) UnmarshalYAML(node *yaml.Node) error {
	first, last, ok := strings.Cut(node.Value, "-")
	from, err1 := strconv.Atoi(strings.TrimSpace(first))
	to, err2 := strconv.Atoi(strings.TrimSpace(last))
	if !ok || err1 != nil || err2 != nil || from < 1 || to > 65535 || from > to {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no range of ports such as 9000-9099", node.Line, node.Value)}}
	}
	r.First, r.Last = from, to
	return nil
}

// MarshalYAML writes "9000-9099".
func (r PortRange) MarshalYAML() (any, error) { return r.String(), nil }
