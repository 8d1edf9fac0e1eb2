package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// RoleNamed reads a role as it is stored; Nobody for anything else. Owners are
// named in the configuration alone.
func RoleNamed(name string) Role {
	switch name {
	case "friend":
		return Friend
	case "agent":
		return Agent
	}
	return Nobody
}

func (r *run) rolesFamily() []*cobra.Command {
	var agent string
	role := &cobra.Command{
		Use:   "role USER agent|friend|none [--agent NAME]",
		Short: "gives an account a role, with which it may ask for things in the chat rooms",
		Long: "What a role may do, and what it may propose to the owners, stands in fraktalia.yaml (roles). Owners are named there only. " +
			"The account of an agent stands for one agent of OpenClaw: --agent says which, where it is not the account's own name.",
		Example:     "role @mox:family.example agent",
		Args:        exactly(2, "an account, and agent, friend or none"),
		Annotations: map[string]string{laneKey: "roles"},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			return setRole(ctx, r, args[0], args[1], agent)
		}),
	}
	role.Flags().StringVar(&agent, "agent", "", "the `name` of the agent that uses the account")
	roles := &cobra.Command{
		Use:         "roles",
		Short:       "who has which role, and what it may do",
		Args:        none,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE:        r.does(listRoles),
	}
	return []*cobra.Command{role, roles}
}

func setRole(ctx context.Context, r *run, user, name, agent string) (reply.Answer, error) {
	userID, err := r.localUser(user)
	if err != nil {
		return reply.Answer{}, err
	}
	if name == "owner" {
		return reply.Answer{}, Sorry("Owners are named in fraktalia.yaml only (owners:), so that nobody can be made one from a room.")
	}
	if slices.Contains(r.Settings.Owners, userID) || userID == r.Settings.Bot {
		return reply.Answer{}, Sorry("%s is an owner or the bot itself; neither takes a role.", userID)
	}
	before, had, err := r.Records.RoleOf(ctx, userID)
	if err != nil {
		return reply.Answer{}, err
	}
	undo := undoRole(userID, before, had)
	if name == "none" {
		if !had {
			return reply.Answer{}, Sorry("%s has no role; nothing to do.", userID)
		}
		if err := r.Records.DeleteRole(ctx, userID); err != nil {
			return reply.Answer{}, err
		}
		return reply.Answer{Doc: reply.Say(userID, " has no role any more, and may ask for nothing."), Undo: undo}, nil
	}
	given := store.Role{UserID: userID, Role: name, GivenBy: r.request.Sender, GivenAt: time.Now()}
	if RoleNamed(name) == Nobody {
		return reply.Answer{}, Sorry("%.40q is no role: say agent, friend or none.", name)
	}
	if given.Agent, err = r.agentBehind(name, userID, agent); err != nil {
		return reply.Answer{}, err
	}
	if err := r.Records.SaveRole(ctx, given); err != nil {
		return reply.Answer{}, err
	}
	return reply.Answer{Doc: r.roleText(given), Undo: undo}, nil
}

func undoRole(userID string, before store.Role, had bool) string {
	if !had {
		return fmt.Sprintf("role %q none", userID)
	}
	line := fmt.Sprintf("role %q %s", userID, before.Role)
	if before.Agent != "" {
		line += fmt.Sprintf(" --agent=%q", before.Agent)
	}
	return line
}

// localUser reads "mox" and "@mox:server": roles are for accounts of this
// server, whose names nobody else can take.
func (r *run) localUser(word string) (string, error) {
	name, err := homeserver.Localpart(word, r.Settings.ServerName)
	var invalid homeserver.ErrInvalidName
	if errors.As(err, &invalid) {
		return "", Because(err, "%s", nameProblem(invalid, r.Settings.ServerName))
	}
	return "@" + name + ":" + r.Settings.ServerName, err
}

// agentBehind finds the agent of OpenClaw for which an account speaks.
func (r *run) agentBehind(role, userID, named string) (string, error) {
	if role != "agent" {
		if named != "" {
			return "", Sorry("--agent goes with the role agent only.")
		}
		return "", nil
	}
	local, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	wanted := orElse(named, local)
	config, err := r.Agents.Load()
	if err != nil {
		return "", r.configProblem(err)
	}
	agents, err := config.Agents()
	if err != nil {
		return "", r.configProblem(err)
	}
	var known []string
	for _, a := range agents {
		if a.ID == wanted {
			return wanted, nil
		}
		known = append(known, a.ID)
	}
	if named != "" {
		return "", Sorry("There is no agent %.60s. There are %s.", named, orElse(strings.Join(known, ", "), "none"))
	}
	return "", Sorry("OpenClaw has no agent called %.60s: say with --agent which one uses this account. There are %s.", wanted, orElse(strings.Join(known, ", "), "none"))
}

func (r *run) roleText(given store.Role) reply.Doc {
	policy := r.Settings.Policies[RoleNamed(given.Role)]
	who := given.UserID + " is a friend now."
	if given.Agent != "" {
		who = given.UserID + " speaks for the agent " + given.Agent + " now."
	}
	return reply.Say(fmt.Sprintf("%s In the chat rooms it may ask for %s, and propose %s.", who, listText(policy.May), listText(policy.MayPropose)))
}

func listText(words []string) string {
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

// roleRow is one account's role for programs.
type roleRow struct {
	User       string   `json:"user"`
	Role       string   `json:"role"`
	Agent      string   `json:"agent,omitempty"`
	May        []string `json:"may"`
	MayPropose []string `json:"may_propose"`
	GivenBy    string   `json:"given_by"`
}

func listRoles(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
	list, err := r.Records.Roles(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	rows := []roleRow{}
	table := reply.Table{Head: []string{"who", "role", "may", "may propose", "given by"}}
	for _, owner := range r.Settings.Owners {
		rows = append(rows, roleRow{User: owner, Role: "owner", May: []string{"everything"}, MayPropose: []string{}, GivenBy: "fraktalia.yaml"})
		table.Rows = append(table.Rows, []any{owner, "owner", "everything", "", "fraktalia.yaml"})
	}
	for _, given := range list {
		policy := r.Settings.Policies[RoleNamed(given.Role)]
		rows = append(rows, roleRow{given.UserID, given.Role, given.Agent, policy.May, policy.MayPropose, given.GivenBy})
		role := given.Role
		if given.Agent != "" {
			role += " " + given.Agent
		}
		table.Rows = append(table.Rows, []any{given.UserID, role, listText(policy.May), listText(policy.MayPropose),
			fmt.Sprintf("%s, %s ago", given.GivenBy, strings.ToLower(units.HumanDuration(time.Since(given.GivenAt))))})
	}
	return reply.Answer{Doc: reply.Doc{table}, Data: rows}, nil
}
