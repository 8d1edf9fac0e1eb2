package socketproxy

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Endpoint is one thing that is let through to the engine.
type Endpoint struct {
	Method, Path string
	// With is what the query has to have, where there are two kinds of one
	// path: "fromSrc" for imports.
	With string
	// For is what the bot does with it; Only is what else is looked at.
	For, Only string

	path *regexp.Regexp
	// query are the parameters that may be given: "size", or "stream=0" where
	// no other value is let through, or "changes*" for any number of them.
	query []string
	// filters are what a list may be asked for by.
	filters map[string][]string
	body    body
	// bare says that it may be asked without a version.
	bare bool
	// upgrade says that the connection is taken over.
	upgrade bool
	decide  func(*visit) error
	answer  func(*visit, *http.Response) error
}

// body says what a request carries.
type body int

const (
	noBody     body = iota
	judgedBody      // is read whole by decide, which writes another in its place
	sentBody        // goes on as it comes
)

// ours is what Only says of containers; docs/security.md explains it.
const ours = "our containers"

// psColumns is how the bot lists processes: the engine hands them to a ps of
// the machine's, so no others are let through.
const psColumns = "-o pid,ppid,stat,etimes,args"

// Endpoints are all that is let through. What is not in it is refused.
func Endpoints() []Endpoint {
	list := slices.Concat(aboutEngine(), aboutContainers(), aboutCommands(), aboutImages())
	for i := range list {
		list[i].path = pattern(list[i].Path)
	}
	return list
}

func aboutEngine() []Endpoint {
	return []Endpoint{
		{Method: http.MethodHead, Path: "/_ping", For: "to agree on a version", bare: true},
		{Method: http.MethodGet, Path: "/version", For: "status"},
		{Method: http.MethodGet, Path: "/info", For: "where its disk is, which store it has, before a build"},
		{Method: http.MethodGet, Path: "/events", For: "following sandboxes", query: []string{"since", "until"}, filters: map[string][]string{"type": {"container", "network"}, "label": {labelSandbox}},
			Only: "of networks and of " + ours + "; others are left out of the answer", answer: (*visit).sieveEvents},
		{Method: http.MethodGet, Path: "/networks/{id}", For: "isolation, and whether images can be tried with a network",
			Only: "`bridge` and the sandboxes' own", decide: (*visit).knownNetwork},
	}
}

func aboutContainers() []Endpoint {
	return []Endpoint{
		{Method: http.MethodGet, Path: "/containers/json", For: "lists, addresses to try isolation with, images in use", query: []string{"all=1"},
			filters: map[string][]string{"status": {"running"}, "label": {labelSandbox, labelImage + "=" + probeKind}},
			Only:    ours + "; of others image, state and addresses", answer: (*visit).narrowList},
		{Method: http.MethodGet, Path: "/containers/{id}/json", For: "addresses, state, disk", query: []string{"size=1"}, Only: ours, decide: (*visit).ourContainer},
		{Method: http.MethodGet, Path: "/containers/{id}/top", For: "what runs in a sandbox", query: []string{"ps_args=" + psColumns}, Only: ours, decide: (*visit).ourContainer},
		{Method: http.MethodGet, Path: "/containers/{id}/stats", For: "memory and processor", query: []string{"stream=0", "one-shot=1"}, Only: ours, decide: (*visit).ourContainer},
		{Method: http.MethodGet, Path: "/containers/{id}/logs", For: "`!sandbox logs`", query: []string{"stdout=1", "stderr=1", "tail"}, Only: ours, decide: (*visit).ourContainer},
		{Method: http.MethodPost, Path: "/containers/create", For: "probes: of images, packages, isolation", body: judgedBody, decide: (*visit).probe,
			Only: "the label `io.fraktalia.image=probe`; of the body image, program, user, a network of `none`, `bridge` and the sandboxes' own, and what takes rights away (read-only, no capabilities, no new privileges, limits)"},
		{Method: http.MethodPost, Path: "/containers/{id}/start", For: "probes", Only: "our probes; no body", decide: (*visit).ourProbe},
		{Method: http.MethodDelete, Path: "/containers/{id}", For: "`!recreate-sandbox`, and probes that are done", query: []string{"force=1"}, Only: ours, decide: (*visit).ourContainer},
	}
}

func aboutCommands() []Endpoint {
	return []Endpoint{
		{Method: http.MethodPost, Path: "/containers/{id}/exec", For: "`!sandbox run`, the relay, probes", body: judgedBody, decide: (*visit).prepare, answer: (*visit).notePrepared,
			Only: ours + "; of the body program and streams: the container's own user, no privileges, no terminal"},
		{Method: http.MethodPost, Path: "/exec/{id}/start", For: "the same", Only: "commands that were prepared through the proxy, once", upgrade: true, body: judgedBody, decide: (*visit).begin},
		{Method: http.MethodGet, Path: "/exec/{id}/json", For: "exit status", Only: ours, decide: (*visit).ourCommand},
	}
}

func aboutImages() []Endpoint {
	return []Endpoint{
		{Method: http.MethodGet, Path: "/images/json", For: "`!sandbox prune`", filters: map[string][]string{"dangling": {"true"}, "label": {labelImage + "=sandbox"}}},
		{Method: http.MethodGet, Path: "/images/{name}/json", For: "which image is live, and how old"},
		{Method: http.MethodGet, Path: "/images/{name}/history", For: "its layers"},
		{Method: http.MethodPost, Path: "/images/{name}/tag", For: "a new image going live, and back", query: []string{"repo", "tag"}, Only: "to the sandbox image's names", decide: (*visit).ourTag},
		{Method: http.MethodDelete, Path: "/images/{name}", For: "candidates, and `!sandbox prune`", Only: "the sandbox image's names; images of ours that have no name", decide: (*visit).ourImage},
		{Method: http.MethodPost, Path: "/images/create", With: "fromSrc", For: "the probe, and a base of the distribution's packages", query: []string{"fromSrc=-", "repo", "tag", "message", "changes*"},
			Only: "sent along, not fetched; to names of our own", body: sentBody, decide: (*visit).ourImport},
		{Method: http.MethodPost, Path: "/images/create", With: "fromImage", For: "pulling the base", query: []string{"fromImage", "tag"}, Only: "the base image", decide: (*visit).ourBase},
		{Method: http.MethodPost, Path: "/build", For: "`!rebuild-sandbox`", body: sentBody, decide: (*visit).ourBuild,
			query: []string{"t", "buildargs", "labels", "nocache=1", "rm=1", "forcerm=1", "version", "memory", "memswap"},
			Only:  "to the sandbox image's `-candidate`; nothing but files sent along, arguments, labels and limits of memory: no host network, no session, no entitlements"},
	}
}

// pattern makes a path an expression; {name} may have slashes in it.
func pattern(path string) *regexp.Regexp {
	text := regexp.QuoteMeta(path)
	text = strings.Replace(text, `\{id\}`, `(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)`, 1)
	text = strings.Replace(text, `\{name\}`, `(?P<name>[A-Za-z0-9][A-Za-z0-9_.:@/-]*)`, 1)
	return regexp.MustCompile("^" + text + "$")
}

// String is how it is told of.
func (e Endpoint) String() string {
	if e.With != "" {
		return e.Method + " " + e.Path + "?" + e.With
	}
	return e.Method + " " + e.Path
}
