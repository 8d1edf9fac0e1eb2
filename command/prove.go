package command

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/githabideri/fraktalia/openclaw"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/sandbox"
	"github.com/githabideri/fraktalia/store"
)

// Speaking is what it takes to talk with an agent in a room.
type Speaking interface {
	// Exchange says something to an account in an encrypted room, and gives what
	// that account says from then on to heard, until heard is content. Errors:
	// *PlainRoom, *NotAllowed, *HomeserverAway, the context's.
	Exchange(ctx context.Context, room, user, text string, heard func(said string) bool) error
	// HasJoined says whether an account is in a room, as far as the bot sees.
	HasJoined(ctx context.Context, room, user string) bool
}

// Workspaces are the agents' folders on this machine.
type Workspaces interface {
	// Written reads a small file that lies in an agent's workspace, or in the
	// folder that its container has for one, and removes it. Errors:
	// fs.ErrNotExist, fs.ErrPermission.
	Written(ctx context.Context, agent, name string) (text, path string, err error)
	// PlanWorkspace says what a new agent's workspace will be; nothing is made
	// yet. Errors: *WorkspaceTaken, *BadTemplate.
	PlanWorkspace(ctx context.Context, agent Newcomer) (NewWorkspace, error)
	// EraseRecords deletes what OpenClaw keeps of an agent that is in its
	// configuration no more: sessions, and what was said in them. Some says whether
	// there was any. Errors: *RecordsOpen.
	EraseRecords(agent string) (some bool, err error)
	// Remains lists folders that agents have left who are none of the known ones;
	// EraseRemains deletes one that still is such.
	Remains(known []string) ([]Remains, error)
	EraseRemains(left Remains, known []string) error
}

// RecordsOpen says that a program has files open that were to be deleted.
type RecordsOpen struct{ Path string }

func (e *RecordsOpen) Error() string { return e.Path + " is in use" }

// PlainRoom says that a room is not encrypted, so that the bot says nothing there.
type PlainRoom struct{ ID string }

func (e *PlainRoom) Error() string { return e.ID + " is not encrypted" }

const (
	// answerWithin is how long an agent may take where the configuration does
	// not say: its model and its first container may be slow.
	answerWithin = 3 * time.Minute
	// fileWithin is how long the file may be on its way after the answer.
	fileWithin = 5 * time.Second
	fileTick   = 100 * time.Millisecond
	// silentFor is how long an agent that has said something else may be silent
	// before it is asked once more.
	silentFor = 20 * time.Second
)

// Proof is what was seen of an agent that was asked, in its room, to write a
// file in its sandbox and to answer.
type Proof struct {
	Agent   string `json:"agent"`
	Room    string `json:"room"`
	Account string `json:"account"` // that the agent speaks with
	// Answered says that it answered with the word that it was asked for; Said is
	// the last that it said, in any case.
	Answered bool   `json:"answered"`
	Said     string `json:"said"`
	// Took is the time from the question to the answer.
	Took time.Duration `json:"took"`
	// File is where what it wrote was read on this machine; "" where it was not.
	File string `json:"file"`
	// Unreadable says why a file that is there could not be read.
	Unreadable string `json:"unreadable,omitempty"`
	// Container is the name of the container in which it was written; "" where
	// it was written in none that the engine knows.
	Container string `json:"container"`

	sandboxed bool
	file      string // that it was asked for
}

// Whole says that every part worked: model, room, sandbox and files.
func (p Proof) Whole() bool {
	return p.Answered && p.File != "" && (p.Container != "" || !p.sandboxed)
}

// Fault says in a sentence which part did not work, and what to look at; ""
// where all did.
func (p Proof) Fault() string {
	switch {
	case p.Whole():
		return ""
	case p.File != "" && p.Container == "" && p.sandboxed:
		return fmt.Sprintf("%s wrote the file, but in no sandbox: its commands run on this machine itself.", p.Agent)
	case p.Unreadable != "":
		return fmt.Sprintf("%s wrote a file in its sandbox that cannot be read on this machine: %s. fix-permissions %[1]s mends that.", p.Agent, p.Unreadable)
	case p.Answered:
		return fmt.Sprintf("%s answered, but the file that it was to write in its sandbox is not there: its model did not use the sandbox, or the sandbox does not work.", p.Agent)
	case p.File != "":
		return fmt.Sprintf("%s wrote the file in its sandbox, but did not answer in the room within %s.", p.Agent, p.Took.Round(time.Second))
	case p.Said != "":
		return fmt.Sprintf("%s answered, but not with the word that I asked for, and wrote no file: %q. Its model may be too weak, or cannot be reached.", p.Agent, shorten(p.Said, 200))
	}
	return fmt.Sprintf("%s did not answer within %s. Its model, or OpenClaw's Matrix account, may not work; OpenClaw's log says more.", p.Agent, p.Took.Round(time.Second))
}

// facts is a whole proof in a line.
func (p Proof) facts() string {
	where := "on this machine, without a sandbox"
	if p.Container != "" {
		where = "in " + shorten(p.Container, 34)
	}
	return fmt.Sprintf("answered after %.1f s; wrote a file %s, which was read at %s", p.Took.Seconds(), where, p.File)
}

// question asks an agent for a file and an answer. It begins with neither "!"
// nor "/", so nobody takes it for a command.
func question(word, file string) string {
	return fmt.Sprintf("This is a check of the house. Please run exactly this command in your sandbox, and then answer with the word %s alone:\necho %[1]s $(cat /etc/hostname) > %s", word, file)
}

// prove asks an agent in a room in which its account is, and looks for the file.
// What it is told and what it says is everybody's in that room. The error is
// about asking; what the agent did not do stands in the proof.
func (r *run) prove(ctx context.Context, p Proof) (Proof, error) {
	config, err := r.Agents.Load()
	if err != nil {
		return p, r.configProblem(err)
	}
	agent, err := config.Agent(p.Agent)
	if err != nil {
		return p, r.configProblem(err)
	}
	p.sandboxed = newPlacement(config, agent).sandboxed()
	begun := time.Now()
	again, err := r.ask(ctx, &p, begun, true)
	if err == nil && again {
		unwanted := p.file
		_, err = r.ask(ctx, &p, begun, false)
		_, _, _ = r.Workspaces.Written(ctx, p.Agent, unwanted) // it may have come late; what is read goes
	}
	return p, err
}

// ask asks for a file and looks for it. Again says that it should be asked once
// more: OpenClaw breaks off what it does for a question that comes while it
// introduces itself in a room, and says something else.
func (r *run) ask(ctx context.Context, p *Proof, begun time.Time, first bool) (again bool, err error) {
	word := strings.ToLower(rand.Text()[:8])
	p.file = "fraktalia-check-" + word + ".txt"
	end := begun.Add(r.answerWithin())
	hearing, stop := context.WithDeadline(ctx, end)
	defer stop()
	var silence *time.Timer // runs out when something else was said, and then nothing
	err = r.Speaking.Exchange(hearing, p.Room, p.Account, question(word, p.file), func(said string) bool {
		p.Said = said
		if silence != nil {
			silence.Stop()
		}
		if first {
			silence = time.AfterFunc(silentFor, stop)
		}
		return strings.Contains(strings.ToLower(said), word)
	})
	p.Took, p.Answered = time.Since(begun), err == nil
	if err != nil && (ctx.Err() != nil || hearing.Err() == nil) {
		return false, askingProblem(err)
	}
	if err := r.fileProof(ctx, p, word); err != nil {
		return false, err
	}
	nothing := p.File == "" && p.Unreadable == ""
	return first && nothing && p.Said != "" && time.Now().Before(end), nil
}

func (r *run) answerWithin() time.Duration {
	if r.Settings.AnswerWithin == 0 {
		return answerWithin
	}
	return r.Settings.AnswerWithin
}

// fileProof looks for the file, also where no answer came.
func (r *run) fileProof(ctx context.Context, p *Proof, word string) error {
	limited, cancel := context.WithTimeout(ctx, min(fileWithin, r.answerWithin()/2))
	defer cancel()
	for {
		text, path, err := r.Workspaces.Written(ctx, p.Agent, p.file)
		switch {
		case err == nil && strings.HasPrefix(text, word):
			p.File = path
			p.Container = r.writer(ctx, p.Agent, strings.TrimSpace(strings.TrimPrefix(text, word)))
			return nil
		case errors.Is(err, fs.ErrPermission):
			p.Unreadable = "this program may not read it"
			return nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
		select {
		case <-limited.Done():
			return ctx.Err()
		case <-time.After(fileTick):
		}
	}
}

// writer is the name of the agent's container that calls itself hostname:
// engines call a container by the first digits of its id.
func (r *run) writer(ctx context.Context, agent, hostname string) string {
	containers, err := r.Containers.Containers(ctx)
	if err != nil || len(hostname) < 12 {
		return ""
	}
	for _, c := range containers {
		if strings.HasPrefix(c.ID, hostname) && owns(c, agent) {
			return c.Name
		}
	}
	return ""
}

// owns says that a container is an agent's, or all agents'.
func owns(c sandbox.Container, agent string) bool { return c.Agent == agent || c.Agent == "" }

func askingProblem(err error) error {
	var plain *PlainRoom
	if errors.As(err, &plain) {
		return Because(err, "The room %s is not encrypted, so I say nothing in it.", plain.ID)
	}
	return peopleProblem(err)
}

// proveBound proves an agent in a room that it is bound to: the first one in
// which its account and the bot are. Where OpenClaw would not listen to the bot
// there, it is made to as long as that lasts.
func (r *run) proveBound(ctx context.Context, agent string) (p Proof, err error) {
	config, err := r.Agents.Load()
	if err != nil {
		return p, r.configProblem(err)
	}
	guest, err := r.agentAccount(agent)
	if err != nil {
		return p, err
	}
	for _, room := range config.Rooms(agent) {
		if !r.Speaking.HasJoined(ctx, room, guest.user) || !r.Speaking.HasJoined(ctx, room, r.Settings.Bot) {
			continue
		}
		err = r.whileHeard(ctx, guest, room, func() (err error) {
			p, err = r.prove(ctx, Proof{Agent: agent, Room: room, Account: guest.user})
			return err
		})
		return p, err
	}
	return p, Sorry("%s answers in no room in which it and I are: %sbind %s ROOM gives it one.", agent, prompt(r.request), agent)
}

// hearing is what stands in the record while an agent listens to the bot.
type hearing struct {
	Room    string `json:"room"`
	Account string `json:"account"`
}

// whileHeard has OpenClaw listen to the bot in one room while do runs, and not
// longer: what the bot says there is no talk with the agent. Most rooms need
// nothing.
func (r *run) whileHeard(ctx context.Context, guest agentAccount, room string, do func() error) (err error) {
	config, err := r.Agents.Load()
	if err != nil {
		return r.configProblem(err)
	}
	edit := openclaw.Hear(room, guest.account, r.Settings.Bot)
	if operations, err := edit(config); err != nil || len(operations) == 0 {
		return errors.Join(r.configProblem(err), doUnless(err, do))
	}
	work, err := r.beginWork(ctx, store.WorkHear, guest.agent, hearing{room, guest.account})
	if err != nil {
		return err
	}
	quiet := r.quietly()
	_, err = quiet.change(ctx, change{what: "ask " + guest.agent, edit: edit})
	if err == nil {
		err = do()
	}
	kept, cancel := Outlast(ctx, workExtra)
	defer cancel()
	return errors.Join(err, quiet.hearNoMore(kept, work, hearing{room, guest.account}))
}

func doUnless(err error, do func() error) error {
	if err != nil {
		return nil
	}
	return do()
}

// hearNoMore ends what whileHeard began.
func (r *run) hearNoMore(ctx context.Context, work *agentWork, h hearing) error {
	if err := r.takeEditsBack(ctx, work, []string{"ask " + work.Agent}, openclaw.HearNoMore(h.Room, h.Account, r.Settings.Bot)); err != nil {
		return err
	}
	return work.undone(ctx)
}

// quietly is the same run without its words on the way.
func (r *run) quietly() *run {
	quiet := *r
	quiet.talk = mute{r.talk}
	return &quiet
}

// mute keeps to itself what a part of a command would show of its own.
type mute struct{ Conversation }

func (mute) Update(reply.Doc) {}
