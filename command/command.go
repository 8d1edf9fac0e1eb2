// Package command is the vocabulary: one cobra tree for chat and shell, one
// file per family of commands, and one gate at its root. It knows neither
// Matrix nor a terminal: a command speaks through a Conversation and answers
// with a reply.Answer. What it acts on are the interfaces in Services.
package command

import (
	"context"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
	"github.com/githabideri/fraktalia/reply"
)

// Role is what somebody may do.
type Role int

// Nobody may do nothing; Owner everything. What friends and agents may do stands
// in the policies of Settings, within what the commands allow at all.
const (
	Nobody Role = iota
	Friend
	Agent
	Owner
)

// Request is one command line of one person.
type Request struct {
	// Args are the words of the line, without "!".
	Args []string
	// Line is the line as it was typed, without "!"; "" where the words came
	// apart already, as from the shell.
	Line string
	// Sender is the account that asks, e.g. "@mila:family.example".
	Sender string
	Role   Role
	// Shell says that the line was typed in the machine's own shell.
	Shell bool
	// Ref names the request in the log, e.g. the event's id.
	Ref string
	// Agent is the agent of OpenClaw for which the sender speaks; "" for people.
	Agent string
	// Room is where it was said, and CommandID the journal's row of it; zero
	// where there is none, as in the shell.
	Room      string
	CommandID int64
	// Proposal is the number of the proposal that an owner has approved, and
	// whose line this is; 0 where nobody was asked.
	Proposal int64
}

// Conversation is where a command speaks while it works. All methods may be
// called from any goroutine; what cannot be delivered is logged by the
// implementation and does not stop the command.
type Conversation interface {
	// Update shows doc as the one answer, in place of what it showed before.
	// Calls in quick succession are thinned out.
	Update(doc reply.Doc)
	// Ask puts a question to which an owner says yes or no; false also when
	// nobody answered in time.
	Ask(ctx context.Context, question reply.Doc) (bool, error)
	// Choose puts a question with several answers, mostChoices at most, and
	// returns the number of the one that an owner picks, from 0; -1 when nobody
	// answered in time.
	Choose(ctx context.Context, question reply.Doc, answers []reply.Line) (int, error)
	// Cancelable offers the person a way to stop what runs; the context it
	// returns ends when they take it.
	Cancelable(ctx context.Context) (context.Context, context.CancelFunc)
	// Attach hands over a file.
	Attach(ctx context.Context, file reply.File) error
	// Confide shows a secret to owners alone; where the place can do that, it
	// vanishes by itself.
	Confide(ctx context.Context, secret Confidence) error
}

// Confidence is a secret that is told.
type Confidence struct {
	// Files come before the words: pictures, or what is too long for words.
	Files []reply.File
	Doc   reply.Doc
	// Lifetime is how long it stays.
	Lifetime time.Duration
	// Subject is what it is about: all that is told about one subject vanishes
	// together.
	Subject string
}

// Services are the parts of the program that commands act on.
type Services struct {
	Proposals Proposals
	Forwards  Forwards
	Builder   Builder
	Recipe    Recipe
	Agents    Agents
	Isolation Isolation
	People    People
	// Addresses is where friends reach this machine.
	Addresses Addresses
	// Server gives the driver of the homeserver, whatever that is. Errors:
	// homeserver.ErrUnreachable, homeserver.ErrUnknownKind.
	Server  func(context.Context) (homeserver.Driver, error)
	Rooms   Rooms
	Records Records
	// Speaking talks with agents in their rooms, Workspaces are their folders.
	Speaking   Speaking
	Workspaces Workspaces
	// Health is what a status looks at, Proofs what a doctor tries.
	Health   []Check
	Proofs   []Check
	Trust    Trust
	Backups  Backups
	Settings Settings

	// Containers are the agents' containers, and their images.
	Containers Containers
	// Permissions are those of files in the agents' workspaces.
	Permissions Permissions
	// Engines are this machine's Docker engine and those of other hosts.
	Engines Engines
}

// Settings are values of the configuration that commands need.
type Settings struct {
	Version string
	// FirstPort and LastPort bound what may be forwarded.
	FirstPort, LastPort int
	// Image is the tag of the sandbox image, Base what it is made from.
	Image, Base string
	// ServerName is the part behind the colon of account ids.
	ServerName string
	// Owners are the accounts that may command, Bot is the program's own.
	Owners []string
	Bot    string
	// Address is where friends reach the homeserver.
	Address func(context.Context) string
	// Hosts are names of this machine by which people reach forwarded ports,
	// beside its addresses; may be none.
	Hosts func(context.Context) []string
	// Now is the time; nil is the clock's.
	Now func() time.Time
	// Policies say what friends and agents may do; who is not in it may nothing.
	Policies map[Role]Policy
	// ProposalsAnHour bounds what one account may propose; 0 is 6.
	ProposalsAnHour int
	// AnswerWithin is how long an agent may take to answer; 0 is 3 minutes.
	AnswerWithin time.Duration
	// CardLifetime is how long a joining card stays in a room.
	CardLifetime time.Duration
}
