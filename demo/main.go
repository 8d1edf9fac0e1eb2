// Command demo shows the main job without any Matrix client: in a throwaway
// folder it brings everything up, starts a stand-in for the agent's sandbox
// with a page in it, and lets an owner at a client of its own type a few
// lines. The terminal shows the conversation as the room does; the page is
// fetched through the forward; all is taken down again. The exit status is 0
// only if every answer was right.
//
//	go run -tags goolm ./demo [-program bin/fraktalia]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/githabideri/fraktalia/e2e/client"
	"github.com/githabideri/fraktalia/e2e/harness"
)

func main() {
	program := flag.String("program", "", "the `path` of the program; built first where it is empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := show(ctx, *program, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// limit bounds the whole demonstration.
const limit = 5 * time.Minute

func show(ctx context.Context, program string, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dir, remove, err := harness.Folder()
	if err != nil {
		return err
	}
	defer remove()
	s := &stage{dir: dir, program: program, out: out}
	defer func() { err = errors.Join(err, s.clear()) }()
	if err := s.set(ctx); err != nil {
		return err
	}
	return s.play(ctx)
}

// stage is all that the demonstration brings up.
type stage struct {
	dir, program string
	out          io.Writer
	engine       *harness.Engine
	home         *harness.Deployment
	owner        *client.Client
	room         *client.Room
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.out, "· "+format+"\n", args...) }

// set brings up a sandbox, a homeserver, the bot and its owner.
func (s *stage) set(ctx context.Context) (err error) {
	if s.program == "" {
		s.say("building the program")
		if s.program, err = harness.Build(ctx, s.dir); err != nil {
			return err
		}
	}
	s.say("starting a stand-in for the agent's sandbox, with a page on port 9005")
	if s.engine, err = harness.OpenEngine(ctx, s.dir, fmt.Sprintf("demo%d", os.Getpid())); err != nil {
		return err
	}
	if err := s.engine.BuildPage(ctx, s.dir); err != nil {
		return err
	}
	if _, err := s.engine.StartSandbox(ctx, "mox", "hello from the sandbox:", "9005"); err != nil {
		return err
	}
	s.say("bringing up a homeserver and the bot in %s", s.dir)
	if s.home, err = harness.New(ctx, s.program, s.dir); err != nil {
		return err
	}
	s.home.Env = []string{s.engine.Env(), "HOME=" + s.dir}
	if err := s.home.Up(ctx); err != nil {
		return err
	}
	s.say("the owner logs in and enters the encrypted admin room")
	if s.owner, err = s.home.Owner(ctx); err != nil {
		return err
	}
	if _, err := s.owner.Sign(ctx); err != nil {
		return err
	}
	s.room, err = s.owner.Enter(ctx, s.home.AdminRoom, s.home.BotUserID)
	return err
}

// clear takes all of it down again.
func (s *stage) clear() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	if s.owner != nil {
		errs = append(errs, s.owner.Close())
	}
	if s.home != nil {
		errs = append(errs, s.home.Down(ctx))
	}
	if s.engine != nil {
		errs = append(errs, s.engine.RemoveSandboxes(ctx), s.engine.Down())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("taking it down: %w", err)
	}
	s.say("everything is taken down")
	return nil
}

// play is the conversation.
func (s *stage) play(ctx context.Context) error {
	for _, scene := range []struct {
		line  string
		ok    bool
		words []string
	}{
		{"!status", true, []string{"homeserver", "docker", "database"}},
		{"!forward 9005", true, []string{"9005", "A service answers"}},
		{"!adduser alice", true, []string{"Address: ", "User: @alice:", "Password: "}},
		{"!forwrad 9005", false, []string{"Did you mean !forward"}},
	} {
		answer, err := s.turn(ctx, scene.line)
		if err != nil {
			return err
		}
		if answer.OK != scene.ok {
			return fmt.Errorf("%s ended with ok=%v, not %v", scene.line, answer.OK, scene.ok)
		}
		for _, word := range scene.words {
			if !strings.Contains(answer.Body, word) {
				return fmt.Errorf("the answer to %s says nothing of %q", scene.line, word)
			}
		}
	}
	return s.fetch(ctx)
}

// turn types a line and shows it with its answer.
func (s *stage) turn(ctx context.Context, line string) (client.Outcome, error) {
	turn, err := s.room.Say(ctx, line)
	if err != nil {
		return client.Outcome{}, err
	}
	answer, err := turn.Final(ctx)
	if err != nil {
		return answer, err
	}
	fmt.Fprintf(s.out, "\n  mila       %s   %s\n", line, strings.Join(answer.Marks, " "))
	who := "Fraktalia"
	for text := range strings.Lines(strings.TrimSpace(answer.Body)) {
		fmt.Fprintf(s.out, "  %-9s  %s\n", who, strings.TrimRight(text, "\n"))
		who = ""
	}
	return answer, nil
}

// fetch gets the page through the forward.
func (s *stage) fetch(ctx context.Context) error {
	const address = "http://127.0.0.1:9005/"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the page through the forward: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("the page through the forward: %w", err)
	}
	fmt.Fprintf(s.out, "\n  $ curl %s\n  %s\n", address, strings.TrimSpace(string(text)))
	if !strings.HasPrefix(string(text), "hello from the sandbox:") {
		return fmt.Errorf("the page says %q", text)
	}
	return nil
}
