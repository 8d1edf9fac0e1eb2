package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

// Commands runs command lines.
type Commands struct {
	services Services
	shared   shared
}

// shared is what runs have to agree on.
type shared struct {
	building sync.Mutex // held while the sandbox image is built
	lanes    lanes
	leases   *Leases // nil until they are made
	rates    rates
}

// New makes Commands that act on services.
func New(services Services) *Commands { return &Commands{services: services} }

// run is one execution: cobra's flags keep their values between runs, so each
// line gets a tree of its own, built around a run. Building one costs some
// twenty microseconds.
type run struct {
	Services
	shared  *shared
	request Request
	talk    Conversation
	answer  reply.Answer
	host    string // whose sandbox image it is about; "" is this machine
	lane    string // the one that it is in
	within  string // the one of the command for which it runs; "" where it runs for itself
	leave   func() // lets the next of the lane run
}

// runner is the body of a command.
type runner func(ctx context.Context, r *run, args []string) (reply.Answer, error)

// Annotations of commands, read by the gate and by those who run the lines.
const (
	laneKey  = "lane"  // commands of one lane run one after another
	quickKey = "quick" // reads only, and at once
	slowKey  = "slow"  // the flag with which a quick one is none, and has its lane
	shellKey = "shell" // only from the machine's own shell
	jsonKey  = "json"  // has data for --json
	rawKey   = "raw"   // what follows "--" is no word of ours
)

// Do runs one request. The error, if any, is a *Problem made for people, or an
// internal one; a panic is an internal error of this request alone.
func (c *Commands) Do(ctx context.Context, request Request, talk Conversation) (answer reply.Answer, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			answer, err = reply.Answer{}, fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return (&run{Services: c.services, shared: &c.shared, request: request, talk: talk}).execute(ctx)
}

func (r *run) execute(ctx context.Context) (reply.Answer, error) {
	r.leave = func() {}
	defer func() { r.leave() }()
	root := r.tree()
	root.SetArgs(r.request.Args)
	if err := r.gate(root); err != nil {
		return reply.Answer{}, err
	}
	if err := root.ExecuteContext(ctx); err != nil {
		return r.orWaits(err)
	}
	if asJSON, _ := root.PersistentFlags().GetBool("json"); asJSON && r.answer.Data != nil {
		return r.encoded()
	}
	return r.answer, nil
}

// encoded is the answer for programs.
func (r *run) encoded() (reply.Answer, error) {
	text, err := json.MarshalIndent(r.answer.Data, "", "  ")
	if err != nil {
		return reply.Answer{}, fmt.Errorf("encode the answer: %w", err)
	}
	r.answer.Doc = reply.Doc{reply.Code{Language: "json", Text: string(text)}}
	return r.answer, nil
}

// Lane names the queue of a line: lines of one lane run in the order in which
// they came. Quick lines have none and run at once; quick tells them apart.
func (c *Commands) Lane(args []string) (lane string, quick bool) {
	root := (&run{}).tree()
	cmd, err := find(root, Request{Args: args})
	if err != nil || wantsHelp(args) {
		return "", true
	}
	if flag := cmd.Annotations[slowKey]; flag != "" {
		slow := slices.ContainsFunc(ours(args), func(arg string) bool { return arg == "--"+flag || strings.HasPrefix(arg, "--"+flag+"=") })
		if !slow {
			return "", true
		}
		return cmd.Annotations[laneKey], false
	}
	return cmd.Annotations[laneKey], cmd.Annotations[quickKey] != ""
}

// find resolves the command's name; an unknown one is told in a line, with the
// nearest names.
func find(root *cobra.Command, request Request) (*cobra.Command, error) {
	if len(request.Args) == 0 {
		return root, nil
	}
	cmd, _, err := root.Find(request.Args)
	if err == nil && cmd != root {
		return cmd, nil
	}
	name := request.Args[0]
	if strings.HasPrefix(name, "-") {
		return root, nil
	}
	sentence := fmt.Sprintf("There is no %s%.40s.", prompt(request), name)
	if near := root.SuggestionsFor(name); len(near) > 0 {
		sentence += fmt.Sprintf(" Did you mean %s%s?", prompt(request), strings.Join(near, " or "+prompt(request)))
	} else {
		sentence += fmt.Sprintf(" %shelp lists what there is.", prompt(request))
	}
	return nil, &Problem{Sentence: sentence}
}

// tree builds the commands around r.
func (r *run) tree() *cobra.Command {
	root := &cobra.Command{
		Use:                        strings.TrimSpace(strings.TrimSuffix(prompt(r.request), "!")),
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		CompletionOptions:          cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if err := r.permit(cmd.Context(), cmd, args); err != nil {
			return err
		}
		return r.enterLane(cmd, args)
	}
	root.SetHelpCommand(&cobra.Command{Hidden: true})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(r.request, cmd, err) })
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { r.answer = reply.Answer{Doc: r.describe(cmd)} })
	root.PersistentFlags().Bool("json", false, "answer with JSON, where there is a table")
	root.PersistentFlags().Lookup("json").Hidden = true
	root.AddCommand(r.helpCommand(root))
	for _, family := range [][]*cobra.Command{r.forwardFamily(), r.sandboxFamily(), r.containersFamily(), r.permissionsFamily(), r.agentsFamily(), r.peopleFamily(), r.roomsFamily(), r.rolesFamily(),
		r.allowFamily(), r.proposalsFamily(), r.auditFamily(), r.deploymentFamily()} {
		root.AddCommand(family...)
	}
	r.finish(root)
	return root
}

// finish gives every command what all of them share.
func (r *run) finish(cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		check := child.Args
		child.Args = func(cmd *cobra.Command, args []string) error {
			if check == nil {
				return nil
			}
			if err := check(cmd, args); err != nil {
				return usageError(r.request, cmd, err)
			}
			return nil
		}
		child.Flags().SortFlags = false
		child.DisableFlagsInUseLine = true
		r.finish(child)
	}
}

// gate is the one place that decides who is heard: by default, nobody. It
// stands before cobra sees the line, so that no command, flag or help text of
// one lies in front of it. For who is no owner permit decides about the rest.
func (r *run) gate(root *cobra.Command) error {
	if r.request.Role == Nobody {
		return &Refused{Sender: r.request.Sender}
	}
	cmd, err := find(root, r.request)
	if err != nil {
		return err
	}
	if r.request.Role < Owner && !r.Settings.Policies[r.request.Role].names(strings.Fields(cmd.CommandPath() + " help")[0]) {
		return r.forbidden(cmd.Name())
	}
	if cmd.Annotations[shellKey] != "" && !r.request.Shell {
		return Sorry("For safety this works only in the machine's own shell: fraktalia %s", cmd.Name())
	}
	if r.request.json() && cmd.Annotations[jsonKey] == "" {
		return Sorry("%s%s has no table, so there is no JSON of it.", prompt(r.request), cmd.Name())
	}
	return nil
}

// Refused says that the sender may not do this. Rooms stay silent about it.
type Refused struct{ Sender string }

func (e *Refused) Error() string { return e.Sender + " may not command" }

// does turns a runner into what cobra calls.
func (r *run) does(do runner) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		r.answer, err = do(cmd.Context(), r, args)
		return err
	}
}

// usageError is a mistake in typing: what is wrong, and how it is written.
func usageError(request Request, cmd *cobra.Command, err error) error {
	var problem *Problem
	text := err.Error()
	if errors.As(err, &problem) {
		text = problem.Sentence
	}
	return &Problem{Sentence: sentenceCase(text) + "\nUsage: " + usageLine(request, cmd), Usage: true}
}

func sentenceCase(text string) string {
	if text == "" {
		return text
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

// prompt is what stands before a command's name where the person types it.
func prompt(request Request) string {
	if request.Shell {
		return "fraktalia "
	}
	return "!"
}

// usageLine is how a command is written, behind the commands that it is a part of.
func usageLine(request Request, cmd *cobra.Command) string {
	return prompt(request) + within(cmd) + cmd.Use
}

func within(cmd *cobra.Command) (names string) {
	for cmd = cmd.Parent(); cmd != nil && cmd.HasParent(); cmd = cmd.Parent() {
		names = cmd.Name() + " " + names
	}
	return names
}

// json says that the answer is for programs.
func (request Request) json() bool {
	ours := ours(request.Args)
	return slices.Contains(ours, "--json") || slices.Contains(ours, "--json=true")
}

// ours are the words in front of dashes: what follows them is not for us, nor
// are its flags.
func ours(args []string) []string {
	if at := slices.IndexFunc(args, isDashes); at >= 0 {
		return args[:at]
	}
	return args
}

func wantsHelp(args []string) bool {
	for _, arg := range ours(args) {
		if arg == "-h" || arg == "--help" {
			return true
		}
	}
	return false
}
