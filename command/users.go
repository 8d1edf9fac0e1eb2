package command

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

func (r *run) usersCommand() *cobra.Command {
	return &cobra.Command{
		Use:         "users",
		Short:       "lists the accounts: last seen, rooms, who added them, how they stand",
		Args:        none,
		Annotations: map[string]string{quickKey: "yes", jsonKey: "yes"},
		RunE:        r.does(listUsers),
	}
}

// userRow is one account for programs.
type userRow struct {
	UserID   string    `json:"user_id"`
	Name     string    `json:"name"`
	State    string    `json:"state"`
	LastSeen time.Time `json:"last_seen,omitzero"`
	Rooms    []string  `json:"rooms"`
	Invited  []string  `json:"invited"`
	AddedBy  string    `json:"added_by,omitempty"`
}

// mostUsers is how many are listed in a room: a message has its bounds.
const mostUsers = 60

func listUsers(ctx context.Context, r *run, _ []string) (reply.Answer, error) {
	rows, complete, err := r.users(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	shown := rows
	if !r.request.Shell {
		shown = rows[:min(len(rows), mostUsers)]
	}
	table := reply.Table{Head: []string{"who", "state", "last seen", "rooms", "added by"}}
	for _, row := range shown {
		table.Rows = append(table.Rows, []any{whoText(row), row.State, seenText(row.LastSeen), roomsText(row), localpart(row.AddedBy)})
	}
	doc := reply.Doc{table}
	if more := len(rows) - len(shown); more > 0 {
		doc = append(doc, reply.P("… and ", more, " more. ", reply.Mono("fraktalia users"), " in the machine's shell lists all."))
	}
	if !complete {
		doc = append(doc, reply.P("The homeserver does not let me list its accounts, so these are those that I know of."))
	}
	return reply.Answer{Doc: doc, Data: rows}, nil
}

// users puts together what the homeserver, the rooms and the record know.
func (r *run) users(ctx context.Context) (rows []userRow, complete bool, err error) {
	driver, err := r.Server(ctx)
	if err != nil {
		return nil, false, peopleProblem(err)
	}
	users, err := driver.Users(ctx)
	if complete = err == nil; !complete && !notForUs(err) {
		return nil, false, peopleProblem(err)
	}
	places, err := r.People.Places(ctx)
	if err != nil {
		return nil, false, peopleProblem(err)
	}
	people, err := r.Records.People(ctx)
	if err != nil {
		return nil, false, err
	}
	guests, err := r.Records.Guests(ctx)
	if err != nil {
		return nil, false, err
	}
	addedBy, onWay := map[string]string{}, map[string]store.Guest{}
	for _, g := range guests {
		onWay[g.UserID] = g
		if g.AddedBy != "" {
			addedBy[g.UserID] = g.AddedBy
		}
	}
	for _, p := range people {
		addedBy[p.UserID] = p.AddedBy
	}
	for id := range addedBy {
		if !slices.ContainsFunc(users, func(u homeserver.User) bool { return u.ID == id }) && (!complete || onWay[id].Token != "") {
			users = append(users, homeserver.User{ID: id})
		}
	}
	for _, user := range users {
		row := userRow{UserID: user.ID, Name: user.DisplayName, LastSeen: user.LastSeen, Rooms: []string{}, Invited: []string{}, AddedBy: addedBy[user.ID]}
		row.stand(places)
		guest, coming := onWay[user.ID]
		row.State = r.stateOf(user, guest, coming)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b userRow) int { return strings.Compare(a.UserID, b.UserID) })
	return rows, complete, nil
}

// stand fills in the rooms.
func (row *userRow) stand(places []Place) {
	for _, place := range places {
		switch place.Members[row.UserID] {
		case Joined:
			row.Rooms = append(row.Rooms, orElse(place.Name, place.ID))
		case Invited:
			row.Invited = append(row.Invited, orElse(place.Name, place.ID))
		}
	}
}

// stateOf is how an account stands, in a few words.
func (r *run) stateOf(user homeserver.User, guest store.Guest, coming bool) string {
	switch {
	case user.ID == r.Settings.Bot:
		return "the bot"
	case user.Locked && coming && guest.ShownAt.IsZero(), coming && guest.ShownAt.IsZero():
		return "⚠️ begun; adduser again goes on"
	case user.Locked:
		return "🔒 locked"
	case user.Suspended:
		return "🔒 suspended"
	case slices.Contains(r.Settings.Owners, user.ID):
		return "owner"
	case coming && guest.SeenAt.IsZero() && guest.Token != "":
		return "⏳ has a token until " + untilText(guest.TokenUntil)
	case coming && guest.SeenAt.IsZero():
		return "⏳ has a card, not logged in"
	case coming && guest.JoinedAt.IsZero():
		return "⏳ logged in, not joined"
	case user.Admin:
		return "administrator"
	}
	return "✅"
}

func whoText(row userRow) reply.Line {
	if row.Name == "" || row.Name == localpart(row.UserID) {
		return reply.Line{reply.Bold("%s", localpart(row.UserID))}
	}
	return reply.Line{reply.Bold("%s", localpart(row.UserID)), " (", row.Name, ")"}
}

func roomsText(row userRow) string {
	text := strings.Join(row.Rooms, ", ")
	if len(row.Invited) == 0 {
		return text
	}
	if text != "" {
		text += "; "
	}
	return text + "invited: " + strings.Join(row.Invited, ", ")
}

func seenText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return strings.ToLower(units.HumanDuration(time.Since(t))) + " ago"
}
