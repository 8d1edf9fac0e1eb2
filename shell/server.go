package shell

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/reply"
	"github.com/githabideri/fraktalia/store"
)

// Journal is where every command is written down.
type Journal interface {
	AddCommand(ctx context.Context, c store.Command) (id int64, fresh bool, err error)
	BeginCommand(ctx context.Context, id int64) (bool, error)
	EndCommand(ctx context.Context, id int64, state store.State, outcome, undo string) error
	AnsweredCommand(ctx context.Context, id int64) error
}

const (
	// requestLimit is how long a shell may take to say what it wants.
	requestLimit = 10 * time.Second
	// writeLimit is how long a shell may take to read the next piece of its
	// answer, and stopLimit once the program is to stop.
	writeLimit = 30 * time.Second
	stopLimit  = 2 * time.Second
)

// Server answers the shell.
type Server struct {
	commands *command.Commands
	journal  Journal
	log      *logrus.Entry
	listener *net.UnixListener
}

// Listen opens the socket at path, mode 0600. A socket that nobody listens on
// any more is replaced; one that is in use is an error.
func Listen(path string, commands *command.Commands, journal Journal, log *logrus.Entry) (*Server, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("another fraktalia listens on %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace the old socket: %w", err)
	}
	// The mask keeps the socket from being open to others for a moment.
	before := unix.Umask(0o177)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("open the shell's socket: %w", err)
	}
	return &Server{commands: commands, journal: journal, log: log, listener: listener}, nil
}

// Run answers until ctx ends and every answer is given.
func (s *Server) Run(ctx context.Context) error {
	var open sync.WaitGroup
	defer open.Wait()
	stop := context.AfterFunc(ctx, func() { s.listener.Close() })
	defer stop()
	for {
		conn, err := s.listener.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.WithError(err).Warn("the shell's socket did not accept")
			time.Sleep(100 * time.Millisecond)
			continue
		}
		open.Go(func() { s.serve(ctx, conn) })
	}
}

// serve runs the one command of a connection. The connection's end cancels it.
func (s *Server) serve(ctx context.Context, conn *net.UnixConn) {
	var listening sync.WaitGroup
	defer listening.Wait()
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := bufio.NewReaderSize(conn, command.MaxLine)
	out := &lines{out: &patient{conn: conn, over: ctx.Err}}
	asked, err := hear(ctx, conn, in)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { hurry(conn) })
	defer stop()
	talk := &talk{out: out, answers: make(chan answer, 1), fates: make(chan fate, 1)}
	listening.Go(func() { talk.listen(in, cancel) })
	given, err := s.run(ctx, asked, who(conn), talk)
	end := message{Kind: doneKind, Text: given.Doc.Text(), Unwell: given.Unwell}
	if err != nil {
		end.Kind = failedKind
	}
	if err := out.write(end); err != nil {
		s.log.WithError(err).Debug("the shell did not take its answer")
	}
}

// hear reads the request of a shell that does not take for ever to say it.
func hear(ctx context.Context, conn *net.UnixConn, in *bufio.Reader) (asked request, err error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := conn.SetReadDeadline(time.Now().Add(requestLimit)); err != nil {
		return asked, err
	}
	if err := readLine(in, &asked); err != nil {
		return asked, err
	}
	return asked, conn.SetReadDeadline(time.Time{})
}

// run writes the command down, runs it and writes down how it ended. It returns
// what the shell is to read, also of an error.
func (s *Server) run(ctx context.Context, asked request, sender string, talk *talk) (reply.Answer, error) {
	ref := "shell-" + uuid.NewString()
	row := store.Command{EventID: ref, Sender: sender, Line: command.Recorded("!" + strings.Join(asked.Args, " ")), SentAt: time.Now()}
	id, _, err := s.journal.AddCommand(ctx, row)
	if err != nil {
		return reply.Answer{Doc: s.worded(err)}, err
	}
	if _, err := s.journal.BeginCommand(ctx, id); err != nil {
		return reply.Answer{Doc: s.worded(err)}, err
	}
	given, err := s.commands.Do(ctx, command.Request{Args: asked.Args, Sender: sender, Role: command.Owner, Shell: true, Ref: ref}, talk)
	doc, state := given.Doc, store.Done
	if err != nil {
		doc, state = s.worded(err), store.Failed
	}
	ctx = context.WithoutCancel(ctx)
	unwritten := errors.Join(s.journal.EndCommand(ctx, id, state, command.RecordedOutcome(doc, given, err), given.Undo), s.journal.AnsweredCommand(ctx, id))
	if err == nil && unwritten != nil {
		doc = s.worded(unwritten)
	}
	return reply.Answer{Doc: doc, Unwell: given.Unwell}, errors.Join(err, unwritten)
}

func (s *Server) worded(err error) reply.Doc {
	var problem *command.Problem
	switch {
	case errors.As(err, &problem):
		if problem.Cause != nil {
			s.log.WithError(problem.Cause).Warn("command failed")
		}
		return append(reply.Say(problem.Sentence), problem.Detail...)
	case errors.Is(err, context.Canceled):
		return reply.Say("Stopped; it did not finish.")
	}
	s.log.WithError(err).Error("command failed with an internal error")
	return reply.Say("Internal error; the log has more.")
}

// who names the user at the other end, as the kernel knows them.
func who(conn *net.UnixConn) string {
	raw, err := conn.SyscallConn()
	if err != nil {
		return "shell"
	}
	var peer *unix.Ucred
	if err := raw.Control(func(fd uintptr) { peer, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || peer == nil {
		return "shell"
	}
	uid := strconv.Itoa(int(peer.Uid))
	if known, err := user.LookupId(uid); err == nil {
		return known.Username + " in the shell"
	}
	return "user " + uid + " in the shell"
}

func readLine(in *bufio.Reader, into any) error {
	text, err := in.ReadBytes('\n')
	if err != nil && (err != io.EOF || len(text) == 0) {
		return err
	}
	return json.Unmarshal(text, into)
}
