package command

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

// Trust is what the commands about owners' identities act on.
type Trust interface {
	// Identities lists the owners and what is known of their keys.
	Identities(ctx context.Context) ([]Identity, error)
	// TrustIdentity takes the identity with this fingerprint, which a person
	// has compared, as the owner's right one; ErrIdentityMoved if the account
	// no longer shows it.
	TrustIdentity(ctx context.Context, userID, fingerprint string) error
}

// ErrIdentityMoved says that an account shows another identity than the one
// that was to be trusted.
var ErrIdentityMoved = errors.New("the identity changed again")

// Identity is an owner's cross-signing identity as the bot knows it.
type Identity struct {
	User string `json:"user"`
	// Pinned is the fingerprint of the master key that the bot trusts: the
	// first it saw, or one that was taken by `fraktalia trust`; "" is none yet.
	Pinned string `json:"pinned"`
	// Current is the one that the account shows now.
	Current string `json:"current"`
}

// Changed says that the account shows another identity than the trusted one.
func (i Identity) Changed() bool { return i.Pinned != i.Current }

func (r *run) trustFamily() []*cobra.Command {
	var yes bool
	trust := &cobra.Command{
		Use:   "trust [USER] [--yes]",
		Short: "takes an owner's new identity as the right one",
		Long: "After an owner has reset their identity (new keys in their Matrix client), the bot hears none of their devices until the new identity is trusted here. " +
			"Without a name it lists the identities. Compare the fingerprint with the one that the client shows.",
		Example:     "trust @mila:family.example",
		Args:        cobra.MaximumNArgs(1),
		Annotations: map[string]string{shellKey: "yes", laneKey: "trust", jsonKey: "yes"},
		RunE: r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
			return trustIdentity(ctx, r, args, yes)
		}),
	}
	skipsQuestion(trust, &yes)
	return []*cobra.Command{trust}
}

func trustIdentity(ctx context.Context, r *run, args []string, yes bool) (reply.Answer, error) {
	identities, err := r.Trust.Identities(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	if len(args) == 0 {
		return reply.Answer{Doc: identityTable(identities, r.request.Shell), Data: identities}, nil
	}
	for _, identity := range identities {
		if identity.User != args[0] {
			continue
		}
		if !identity.Changed() {
			return reply.Answer{Doc: reply.Say("The identity of ", identity.User, " is the trusted one; nothing to do."), Data: identity}, nil
		}
		return takeIdentity(ctx, r, identity, yes)
	}
	return reply.Answer{}, Sorry("%s is no owner. Owners are named in fraktalia.yaml.", args[0])
}

func takeIdentity(ctx context.Context, r *run, identity Identity, yes bool) (reply.Answer, error) {
	yes, err := r.confirm(ctx, yes, reply.Doc{
		reply.P(identity.User, " shows a new identity. Compare this fingerprint with the one in their client before you say yes:"),
		reply.Code{Text: identity.Current},
	})
	if err != nil {
		return reply.Answer{}, err
	}
	if !yes {
		return reply.Answer{}, Sorry("Not trusted; nothing was changed.")
	}
	err = r.Trust.TrustIdentity(ctx, identity.User, identity.Current)
	if errors.Is(err, ErrIdentityMoved) {
		return reply.Answer{}, Sorry("%s changed their identity again while you compared: nothing was trusted. Run `trust %[1]s` again.", identity.User)
	}
	if err != nil {
		return reply.Answer{}, err
	}
	identity.Pinned = identity.Current
	return reply.Answer{Doc: reply.Say("The new identity of ", identity.User, " is trusted: its signed devices are heard again."), Data: identity}, nil
}

func identityTable(identities []Identity, terminal bool) reply.Doc {
	table := reply.Table{Head: []string{"", "owner", "trusted identity", "shown now"}}
	for _, i := range identities {
		mark, current := Well, "the same"
		switch {
		case i.Current == "":
			mark, current = Unsure, "none yet: any device of the account is heard"
		case i.Changed():
			mark, current = NotWell, i.Current
		}
		table.Rows = append(table.Rows, []any{mark.sign(terminal), i.User, i.Pinned, current})
	}
	return reply.Doc{table}
}
