package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/githabideri/fraktalia/reply"
)

// Addresses is where friends reach this deployment.
type Addresses interface {
	// Address is where they reach the homeserver.
	Address(ctx context.Context) Address
	// Hosts are names of this machine by which people reach forwarded ports,
	// beside its addresses; may be none.
	Hosts(ctx context.Context) []string
	// Serve has Tailscale serve the homeserver over https, Unserve takes that
	// back.
	Serve(ctx context.Context) (url string, err error)
	Unserve(ctx context.Context) error
}

// Address is where friends reach the homeserver.
type Address struct {
	URL string
	// Why says how it was found.
	Why string
	// Served says that Tailscale serves it over https; CanServe, that it could.
	Served, CanServe bool
}

// HTTPS says whether phones take the address: they refuse plain http.
func (a Address) HTTPS() bool { return strings.HasPrefix(a.URL, "https://") }

func (r *run) addressCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "address [serve|unserve] [--yes]",
		Short: "shows where friends reach the homeserver, or has Tailscale serve it over https",
		Long: "Joining cards carry this address: as homeserver.public_address says, else the https address that Tailscale serves, else this machine's name in the tailnet, its address in the LAN, " +
			"or what homeserver.address says, whichever answers. Phones refuse plain http: serve sets up https in the tailnet, with Tailscale's certificate; unserve takes that back.",
		Example:     "address serve",
		Annotations: map[string]string{laneKey: peopleLane, jsonKey: "yes"},
	}
	cmd.RunE = r.does(func(ctx context.Context, r *run, args []string) (reply.Answer, error) {
		switch {
		case len(args) == 0:
			return showAddress(ctx, r)
		case len(args) == 1 && args[0] == "serve":
			return serveAddress(ctx, r, yes)
		case len(args) == 1 && args[0] == "unserve":
			return unserveAddress(ctx, r)
		}
		return reply.Answer{}, usageError(r.request, cmd, Sorry("say address alone, address serve or address unserve"))
	})
	skipsQuestion(cmd, &yes)
	return cmd
}

func showAddress(ctx context.Context, r *run) (reply.Answer, error) {
	found := r.Addresses.Address(ctx)
	doc := reply.Doc{reply.P("Friends reach the homeserver at ", reply.Mono("%s", found.URL), ": ", found.Why, ".")}
	switch {
	case found.HTTPS():
	case found.CanServe:
		doc = append(doc, reply.P("Phones refuse plain http. ", reply.Mono("%saddress serve", prompt(r.request)), " has Tailscale serve it over https."))
	default:
		doc = append(doc, reply.P("Phones refuse plain http: with Tailscale on this machine I can set up https, or put a proxy in front and write its address into homeserver.public_address."))
	}
	data := struct {
		Address string `json:"address"`
		Why     string `json:"why"`
		HTTPS   bool   `json:"https"`
	}{found.URL, found.Why, found.HTTPS()}
	return reply.Answer{Doc: doc, Data: data}, nil
}

func serveAddress(ctx context.Context, r *run, yes bool) (reply.Answer, error) {
	before := r.Addresses.Address(ctx)
	if before.Served {
		return reply.Answer{Doc: reply.Say("It is so already: ", reply.Mono("%s", before.URL))}, nil
	}
	ok, err := r.confirm(ctx, yes, reply.Say("Have Tailscale serve the homeserver over https to everybody in your tailnet? Tailscale fetches a certificate for this machine's name, which makes the name public."))
	if err == nil && !ok {
		err = Sorry("Not done; nothing was changed.")
	}
	if err != nil {
		return reply.Answer{}, err
	}
	url, err := r.Addresses.Serve(ctx)
	if err != nil {
		return reply.Answer{}, err
	}
	doc := reply.Doc{reply.P("Friends reach the homeserver at ", reply.Mono("%s", url), " now. The first call takes some seconds more, while Tailscale fetches the certificate.")}
	if after := r.Addresses.Address(ctx); after.URL != url {
		doc = append(doc, reply.P(fmt.Sprintf("Joining cards carry %s all the same: %s.", after.URL, after.Why)))
	}
	return reply.Answer{Doc: doc, Undo: "address unserve"}, nil
}

func unserveAddress(ctx context.Context, r *run) (reply.Answer, error) {
	before := r.Addresses.Address(ctx)
	if err := r.Addresses.Unserve(ctx); err != nil {
		return reply.Answer{}, err
	}
	after := r.Addresses.Address(ctx)
	if before.URL == after.URL {
		return reply.Answer{Doc: reply.Say("Tailscale did not serve the homeserver at its https port; nothing was changed.")}, nil
	}
	return reply.Answer{Doc: reply.Say("Tailscale serves it no more; friends reach the homeserver at ", reply.Mono("%s", after.URL), "."), Undo: "address serve --yes"}, nil
}
