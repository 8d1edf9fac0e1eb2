package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

func (r *run) allowFamily() []*cobra.Command {
	var span string
	var times int
	allow := &cobra.Command{
		Use:   "allow [USER CAPABILITY [PORTS] --for TIME|--times N]",
		Short: "lets an account do something without asking each time, for a while",
		Long: "Without words it lists what is allowed. It takes a limit in time or in number, and covers nothing that the account could not propose. " +
			"Ports narrow a permission for forward.",
		Example:     "allow mox forward 9000-9009 --for 7d",
		Annotations: map[string]string{laneKey: "roles", jsonKey: "yes"},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			if len(args) == 0 {
				return listPermissions(ctx, r)
			}
			return allow(ctx, r, args, span, times)
		}),
	}
	allow.Flags().StringVar(&span, "for", "", "for how `long`, e.g. 12h or 7d")
	allow.Flags().IntVar(&times, "times", 0, "how often, e.g. 5")
	disallow := &cobra.Command{
		Use:         "disallow NUMBER",
		Short:       "takes a permission back that allow gave; allow lists them",
		Example:     "disallow 3",
		Args:        exactly(1, "the permission's number"),
		Annotations: map[string]string{laneKey: "roles"},
		RunE:        r.does(disallow),
	}
	return []*cobra.Command{allow, disallow}
}

// longestPermission is how long something may be allowed beforehand.
const longestPermission = 90 * 24 * time.Hour

func allow(ctx context.Context, r *run, args []string, span string, times int) (reply.Answer, error) {
	role, err := r.roleHolder(ctx, args[0])
	if err != nil {
		return reply.Answer{}, err
	}
	name, scope, err := r.permissionWords(role, args[1:])
	if err != nil {
		return reply.Answer{}, err
	}
	given := store.Permission{UserID: role.UserID, Capability: name, Scope: scope, UsesLeft: -1, GivenBy: r.request.Sender, GivenAt: time.Now()}
	switch {
	case span == "" && times == 0:
		return reply.Answer{}, Sorry("Say until when (--for 7d) or how often (--times 5): nothing is allowed for ever.")
	case times < 0 || times > 1000:
		return reply.Answer{}, Sorry("--times takes a number from 1 to 1000.")
	case times > 0:
		given.UsesLeft = times
	}
	if span != "" {
		long, err := readTime(span)
		if err != nil {
			return reply.Answer{}, err
		}
		if long > longestPermission {
			return reply.Answer{}, Sorry("%.40q is too long: 90 days are the most.", span)
		}
		given.Until = given.GivenAt.Add(long)
	}
	number, err := r.Records.SavePermission(ctx, given)
	if err != nil {
		return reply.Answer{}, err
	}
	given.ID = number
	return reply.Answer{Doc: reply.Say(fmt.Sprintf("%s may now do without asking: %s. ", role.UserID, permissionText(given)), reply.Mono("%sdisallow %d", prompt(r.request), number),
		" takes it back."), Undo: fmt.Sprintf("disallow %d", number)}, nil
}

// roleHolder finds an account with a role by its name, its id or its agent's name.
func (r *run) roleHolder(ctx context.Context, word string) (store.Role, error) {
	list, err := r.Records.Roles(ctx)
	if err != nil {
		return store.Role{}, err
	}
	var names []string
	for _, role := range list {
		local, _, _ := strings.Cut(strings.TrimPrefix(role.UserID, "@"), ":")
		if word == role.UserID || word == local || word == role.Agent && role.Agent != "" {
			return role, nil
		}
		names = append(names, local)
	}
	return store.Role{}, Sorry("%.60s has no role, so there is nothing to allow. With a role: %s. %srole gives one.", word, orElse(strings.Join(names, ", "), "nobody"), prompt(r.request))
}

// permissionWords reads a capability and what narrows it.
func (r *run) permissionWords(role store.Role, words []string) (name, scope string, err error) {
	may := r.Settings.Policies[RoleNamed(role.Role)].MayPropose
	for _, known := range may {
		parts := strings.Fields(known)
		if len(words) < len(parts) || !slices.Equal(words[:len(parts)], parts) {
			continue
		}
		switch rest := words[len(parts):]; {
		case len(rest) == 0:
			return known, "", nil
		case known == "forward":
			list, err := r.ports(rest, r.forwardable)
			return known, join(list), err
		default:
			return "", "", Sorry("%q is one word too many.", rest[0])
		}
	}
	return "", "", Sorry("What can be allowed is what the role may propose: %s.", listText(may))
}

// standing looks for a permission that covers a line, and takes one use of it.
func (r *run) standing(ctx context.Context, name string, args []string) (bool, error) {
	now := time.Now()
	list, err := r.Records.Permissions(ctx, now)
	if err != nil {
		return false, err
	}
	for _, p := range list {
		if p.UserID != r.request.Sender || p.Capability != name || !r.covers(p, args) {
			continue
		}
		if used, err := r.Records.UsePermission(ctx, p.ID, now); err != nil || used {
			return used, err
		}
	}
	return false, nil
}

// covers says whether the ports of a line lie within a permission.
func (r *run) covers(p store.Permission, args []string) bool {
	if p.Scope == "" {
		return true
	}
	within, err1 := r.ports(strings.Fields(p.Scope), anyPort)
	asked, err2 := r.ports(args, anyPort)
	if err1 != nil || err2 != nil {
		return false
	}
	for _, port := range asked {
		if !slices.Contains(within, port) {
			return false
		}
	}
	return len(asked) > 0
}

func permissionText(p store.Permission) string {
	text := p.Capability
	if p.Scope != "" {
		text += " " + p.Scope
	}
	if p.UsesLeft >= 0 {
		text += fmt.Sprintf(", %d %s", p.UsesLeft, plural(p.UsesLeft, "time", "times"))
	}
	if !p.Until.IsZero() {
		text += ", until " + p.Until.Format("2 Jan 15:04")
	}
	return text
}

// permissionRow is one permission for programs.
type permissionRow struct {
	Number     int64      `json:"number"`
	User       string     `json:"user"`
	Capability string     `json:"capability"`
	Scope      string     `json:"scope,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	UsesLeft   *int       `json:"uses_left,omitempty"`
	GivenBy    string     `json:"given_by"`
}

func listPermissions(ctx context.Context, r *run) (reply.Answer, error) {
	list, err := r.Records.Permissions(ctx, time.Now())
	if err != nil {
		return reply.Answer{}, err
	}
	rows := []permissionRow{}
	table := reply.Table{Head: []string{"number", "who", "may do without asking", "given by"}}
	for _, p := range list {
		row := permissionRow{Number: p.ID, User: p.UserID, Capability: p.Capability, Scope: p.Scope, GivenBy: p.GivenBy}
		if !p.Until.IsZero() {
			row.Until = &p.Until
		}
		if p.UsesLeft >= 0 {
			row.UsesLeft = &p.UsesLeft
		}
		rows = append(rows, row)
		table.Rows = append(table.Rows, []any{p.ID, p.UserID, permissionText(p), p.GivenBy})
	}
	if len(rows) == 0 {
		return reply.Answer{Doc: reply.Say("Nothing is allowed beforehand; everything is asked."), Data: rows}, nil
	}
	return reply.Answer{Doc: reply.Doc{table}, Data: rows}, nil
}

func disallow(ctx context.Context, r *run, args []string) (reply.Answer, error) {
	number, err := strconv.ParseInt(strings.TrimPrefix(args[0], "#"), 10, 64)
	if err != nil {
		return reply.Answer{}, Sorry("%.40q is no number of a permission; %sallow lists them.", args[0], prompt(r.request))
	}
	now := time.Now()
	list, err := r.Records.Permissions(ctx, now)
	if err != nil {
		return reply.Answer{}, err
	}
	at := slices.IndexFunc(list, func(p store.Permission) bool { return p.ID == number })
	had := false
	if at >= 0 {
		had, err = r.Records.DeletePermission(ctx, number)
	}
	if err != nil {
		return reply.Answer{}, err
	}
	if !had {
		return reply.Answer{}, Sorry("There is no permission %d; %sallow lists them.", number, prompt(r.request))
	}
	answer := reply.Answer{Doc: reply.Sayf("Permission %d is taken back; it is asked again from now on.", number)}
	answer.Undo = allowLine(list[at], now)
	return answer, nil
}

// allowLine gives a permission again, for what was left of it; "" when that is
// less than can be given.
func allowLine(p store.Permission, now time.Time) string {
	line := strings.TrimSpace("allow " + p.UserID + " " + p.Capability + " " + p.Scope)
	if p.UsesLeft >= 0 {
		line += fmt.Sprintf(" --times %d", p.UsesLeft)
	}
	if p.Until.IsZero() {
		return line
	}
	left := p.Until.Sub(now)
	if left < shortLease {
		return ""
	}
	return line + fmt.Sprintf(" --for %dm", int(left.Minutes()))
}
