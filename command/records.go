package command

import (
	"context"
	"time"

	"github.com/githabideri/fraktalia/store"
)

// Records is the program's own record, as far as commands write it.
type Records interface {
	SaveForward(ctx context.Context, f store.Forward) error
	DeleteForward(ctx context.Context, port int, udp bool) error
	Forwards(ctx context.Context) ([]store.Forward, error)
	// EndedForwards are those whose lease is over and not told yet, ToldForward
	// forgets one of them.
	EndedForwards(ctx context.Context) ([]store.Forward, error)
	ToldForward(ctx context.Context, f store.Forward) error
	PeopleRecords
	WorkRecords
	// BeginBuild records a build before it begins, CandidateBuild what it is
	// about to make live, EndBuild how it ended.
	BeginBuild(ctx context.Context, b store.Build) (id int64, err error)
	CandidateBuild(ctx context.Context, id int64, imageID string) error
	EndBuild(ctx context.Context, b store.Build) error
	// Builds lists the last builds of a tag with their layers, the newest first.
	Builds(ctx context.Context, tag string, most int) ([]store.Build, error)
	// BeginConfigEdit records a change of OpenClaw's configuration before it is
	// written, WroteConfigEdit when it is, DropConfigEdit that it never was.
	BeginConfigEdit(ctx context.Context, e store.ConfigEdit) (id int64, err error)
	WroteConfigEdit(ctx context.Context, id int64, files []store.ConfigFile) error
	DropConfigEdit(ctx context.Context, id int64) error
	JudgeConfigEdit(ctx context.Context, id int64, verdict string) error
	ConfigEdits(ctx context.Context, most int) ([]store.ConfigEdit, error)
	ConfigEdit(ctx context.Context, id int64) (e store.ConfigEdit, ok bool, err error)
	// LastUndoable is the newest command that can be taken back and was not.
	LastUndoable(ctx context.Context) (c store.Command, ok bool, err error)
	// CommandAudited is the command behind a row of the audit.
	CommandAudited(ctx context.Context, seq int64) (c store.Command, ok bool, err error)
	MarkUndone(ctx context.Context, id int64) error
	SaveRole(ctx context.Context, r store.Role) error
	DeleteRole(ctx context.Context, userID string) error
	RoleOf(ctx context.Context, userID string) (r store.Role, ok bool, err error)
	Roles(ctx context.Context) ([]store.Role, error)
	// AddProposal records a proposal, once for a command.
	AddProposal(ctx context.Context, p store.Proposal) (id int64, err error)
	// Proposals lists the open ones.
	Proposals(ctx context.Context) ([]store.Proposal, error)
	ProposalsSince(ctx context.Context, sender string, since time.Time) (int, error)
	SavePermission(ctx context.Context, p store.Permission) (int64, error)
	Permissions(ctx context.Context, now time.Time) ([]store.Permission, error)
	UsePermission(ctx context.Context, id int64, now time.Time) (bool, error)
	DeletePermission(ctx context.Context, id int64) (bool, error)
	Audit(ctx context.Context, f store.AuditFilter) ([]store.AuditRow, error)
	VerifyAudit(ctx context.Context) (n int64, last string, err error)
}

// PeopleRecords is who was given access.
type PeopleRecords interface {
	SavePerson(ctx context.Context, p store.Person) error
	PersonOf(ctx context.Context, userID string) (p store.Person, ok bool, err error)
	People(ctx context.Context) ([]store.Person, error)
	ForgetPerson(ctx context.Context, userID string) error
	// Guests are those who are on their way in: begun, and not yet in their rooms.
	SaveGuest(ctx context.Context, g store.Guest) error
	GuestOf(ctx context.Context, userID string) (g store.Guest, ok bool, err error)
	Guests(ctx context.Context) ([]store.Guest, error)
	ShowGuests(ctx context.Context, userIDs []string, at time.Time) error
	ForgetGuest(ctx context.Context, userID string) error
	// Vanish takes the messages about a subject out of the room.
	Vanish(ctx context.Context, subject string) error
}

// WorkRecords are works for agents that take several steps: each step is written
// down before it is done.
type WorkRecords interface {
	BeginAgentWork(ctx context.Context, w store.AgentWork) (id int64, err error)
	SaveAgentWork(ctx context.Context, id int64, state store.WorkState, made string) error
	AgentWorks(ctx context.Context, state store.WorkState) ([]store.AgentWork, error)
	AgentWork(ctx context.Context, id int64) (w store.AgentWork, ok bool, err error)
}
