package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/githabideri/fraktalia/reply"
)

func (r *run) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:         "help [COMMAND]",
		Short:       "what there is, or how one command is used",
		Aliases:     []string{"h", "commands"},
		Annotations: map[string]string{quickKey: "yes"},
		RunE: r.does(func(_ context.Context, r *run, args []string) (reply.Answer, error) {
			if len(args) == 0 {
				return reply.Answer{Doc: r.overview(root)}, nil
			}
			args[0] = strings.TrimPrefix(args[0], "!")
			cmd, err := find(root, Request{Args: args, Shell: r.request.Shell})
			if err != nil {
				return reply.Answer{}, err
			}
			return reply.Answer{Doc: r.describe(cmd)}, nil
		}),
	}
}

// overview lists the commands, a line each.
func (r *run) overview(root *cobra.Command) reply.Doc {
	table := reply.Table{Head: []string{"command", "what it does"}}
	for _, cmd := range root.Commands() {
		if cmd.Hidden || (cmd.Annotations[shellKey] != "" && !r.request.Shell) || !r.concerns(cmd) {
			continue
		}
		table.Rows = append(table.Rows, []any{reply.Mono("%s", usageLine(r.request, cmd)), cmd.Short})
	}
	return reply.Doc{table, reply.P(reply.Mono("%shelp COMMAND", prompt(r.request)), " tells more about one of them.")}
}

// concerns leaves out what is not for the one who asks.
func (r *run) concerns(cmd *cobra.Command) bool {
	return r.request.Role == Owner || r.Settings.Policies[r.request.Role].names(cmd.Name())
}

// describe tells how one command is used.
func (r *run) describe(cmd *cobra.Command) reply.Doc {
	if !cmd.HasParent() {
		return r.overview(cmd)
	}
	doc := reply.Doc{reply.P(reply.Mono("%s", usageLine(r.request, cmd))), reply.P(sentenceCase(cmd.Short))}
	if cmd.Long != "" {
		doc = append(doc, reply.P(cmd.Long))
	}
	if flags := flagList(cmd); len(flags.Items) > 0 {
		doc = append(doc, flags)
	}
	if parts := r.parts(cmd); len(parts.Rows) > 0 {
		doc = append(doc, parts)
	}
	if cmd.Example != "" {
		doc = append(doc, reply.P("For example ", reply.Mono("%s%s", prompt(r.request), cmd.Example)))
	}
	if len(cmd.Aliases) > 0 {
		doc = append(doc, reply.P("Also ", reply.Mono("%s%s", prompt(r.request), strings.Join(cmd.Aliases, " "+prompt(r.request)))))
	}
	return doc
}

// parts lists the commands that are a part of cmd.
func (r *run) parts(cmd *cobra.Command) reply.Table {
	table := reply.Table{Head: []string{"command", "what it does"}}
	for _, child := range cmd.Commands() {
		if !child.Hidden && child.Name() != "help" {
			table.Rows = append(table.Rows, []any{reply.Mono("%s", usageLine(r.request, child)), child.Short})
		}
	}
	return table
}

func flagList(cmd *cobra.Command) reply.List {
	var list reply.List
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden || flag.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(flag)
		name := "--" + flag.Name
		if kind != "" {
			name += " " + strings.ToUpper(kind)
		}
		list.Items = append(list.Items, reply.Line{reply.Mono("%s", name), "  ", usage})
	})
	return list
}
