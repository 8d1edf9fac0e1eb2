package command

import (
	"errors"
	"slices"

	"github.com/githabideri/fraktalia/forwarder"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
)

// What commands that only read leave away where no owner asks: chat rooms are
// read by everybody in them, and an agent can be talked into asking. It reads
// about its own sandbox and its own entry, a friend about none.

// owns says whether all about an agent may be shown to the one who asks.
func (r *run) owns(agent string) bool {
	return r.request.Role == Owner || agent != "" && agent == r.request.Agent
}

// ownContainers leaves away those of other agents. The one that all share shows
// what each of them does, so it is nobody's own.
func (r *run) ownContainers(all []sandbox.Container) []sandbox.Container {
	return slices.DeleteFunc(slices.Clone(all), func(c sandbox.Container) bool { return !r.owns(c.Agent) })
}

// ownHosts are the machines of which the image is told.
func (r *run) ownHosts() []string {
	switch {
	case r.request.Role == Owner:
		return r.living()
	case r.Engines == nil || r.request.Agent == "":
		return []string{""}
	}
	host, _ := r.Engines.Home(r.request.Agent)
	return []string{host}
}

// discreetAgents leaves away other agents, but for the names of those that
// answer in the room where it is asked.
func (r *run) discreetAgents(rows []agentRow) []agentRow {
	told := []agentRow{}
	for _, row := range rows {
		switch {
		case r.owns(row.ID):
			told = append(told, row)
		case slices.Contains(row.Rooms, r.request.Room):
			told = append(told, agentRow{ID: row.ID, Name: row.Name, Sandbox: "off", Rooms: []string{}})
		}
	}
	return told
}

// discreetForward leaves of a forward that it is there, how it is reached, and
// whether it answers; of the own ones all but the program of this machine that
// has the port.
func (r *run) discreetForward(row forwardRow, s forwarder.Status) forwardRow {
	taken := s.State == forwarder.Held || errors.As(s.Err, new(*forwarder.InUseError))
	if r.request.Role == Owner || r.owns(row.Agent) && !taken {
		return row
	}
	said := "⏳ nothing answers yet"
	switch {
	case taken:
		said = "❌ taken by another program"
	case row.Way != "":
		said = "✅ answers"
	}
	row.short, row.Behind = reply.Line{said}, said
	if !r.owns(row.Agent) {
		row.Agent, row.Container, row.Service, row.Way = "", "", "", ""
	}
	return row
}

// discreetFinding leaves of a part of the deployment how well it is: the rest
// names paths, addresses, machines and agents, and says what owners can do.
func (r *run) discreetFinding(f partFinding) partFinding {
	if r.request.Role == Owner {
		return f
	}
	word := map[Mark]string{Well: "well", Unsure: "not as it should be", NotWell: "does not work"}[f.Mark]
	return partFinding{f.Part, Finding{Mark: f.Mark, Fact: word}}
}
