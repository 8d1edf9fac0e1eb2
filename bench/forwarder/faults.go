package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// soon is how long what should happen at once may take, shortly how long
	// something is watched that should not happen.
	soon    = 6 * time.Second
	shortly = time.Second
)

// fault is one thing that forwarders get wrong. What try returns is a word or
// two for the table; an error is the cell's text too.
type fault struct {
	name string
	// adapt changes how the forwarder is started; nil leaves it.
	adapt func(b *bench)
	try   func(b *bench, p peer, r *running) (string, error)
}

func allFaults() []fault {
	return append([]fault{
		{"client half-closes, reply after 2 s", nil, lateReply},
		{"service half-closes, client goes on", nil, lateClient},
		{"service's reset reaches the client", nil, serviceResets},
		{"client's reset reaches the service", nil, clientResets},
		{"out of descriptors, and back", func(b *bench) { b.files = 60 }, shortOfFiles},
		{"9,000 connections", nil, thousands},
		{"slow reader", nil, slowReader},
		{"HTTP/2 session", toWeb, http2Session},
		{"websocket session", toWeb, websocketSession},
		{"IPv6 client, IPv4 container", func(b *bench) { b.host = "::1" }, func(_ *bench, _ peer, r *running) (string, error) { return "ok", once(r.addr) }},
		{"stopped during traffic", nil, stopped},
	}, engineFaults()...)
}

func toWeb(b *bench) { b.port = webPort }

// faults tries everything with everybody and prints a table.
func (b *bench) faults(ctx context.Context, only, which, file string) error {
	chosen := slices.DeleteFunc(peers(), func(p peer) bool {
		return only != "" && !slices.Contains(strings.Split(only+","+ours, ","), p.name)
	})
	names := make([]string, len(chosen))
	for i, p := range chosen {
		names[i] = p.name
	}
	var table strings.Builder
	out := io.MultiWriter(os.Stdout, &table)
	fmt.Fprintf(out, "|  | %s |\n|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(chosen)))
	for _, f := range allFaults() {
		if !strings.Contains(f.name, which) {
			continue
		}
		cells := make([]string, len(chosen))
		for i, p := range chosen {
			if err := ctx.Err(); err != nil {
				return err
			}
			cells[i] = b.tryOne(f, p)
		}
		fmt.Fprintf(out, "| %s | %s |\n", f.name, strings.Join(cells, " | "))
	}
	if file == "" {
		return nil
	}
	return replaceTable(file, table.String())
}

// replaceTable puts a table where the last one is in a file: between two
// comments, so that what the page says is what was found.
func replaceTable(file, table string) error {
	const begin, end = "<!-- bench/forwarder -faults -table writes this -->\n", "<!-- to here -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, found2 := strings.Cut(rest, end)
	if !found || !found2 {
		return fmt.Errorf("%s has no place for the table: two lines, %q and %q", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+table+end+after), 0o644)
}

func (b *bench) tryOne(f fault, p peer) string {
	adapted := *b
	if f.adapt != nil {
		f.adapt(&adapted)
	}
	clean, err := adapted.ownBox()
	defer clean()
	if err != nil {
		return "not tried: " + strings.Join(strings.Fields(err.Error()), " ") // one cell, one line
	}
	r, err := adapted.start(p)
	if err != nil {
		return "does not start: " + err.Error()
	}
	defer r.stop()
	word, err := f.try(&adapted, p, r)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s, %s: %v\n", f.name, p.name, err)
		return "**" + plainly(err) + "**"
	}
	return word
}

// plainly is an error in the words of the table.
func plainly(err error) string {
	var wrong wrongError
	switch {
	case errors.As(err, &wrong):
		return wrong.Error()
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "hangs"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	}
	return "fails"
}

// wrongError is what a forwarder did instead of the right thing.
type wrongError string

func (e wrongError) Error() string { return string(e) }

// wish opens a connection that ends within patience.
func wish(addr, what string) (*net.TCPConn, error) {
	conn, err := open(addr, what)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(soon))
	return conn.(*net.TCPConn), nil
}

// seen asks the service, past the forwarder, what a connection ended with.
func (b *bench) seen() (string, error) {
	conn, err := open(b.address(), "?")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	got, err := io.ReadAll(conn)
	return string(got), err
}

func lateReply(_ *bench, _ peer, r *running) (string, error) {
	conn, err := wish(r.addr, "h")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	io.WriteString(conn, "hello")
	conn.CloseWrite()
	got, err := io.ReadAll(conn)
	if err == nil && string(got) != "5 bytes" {
		err = wrongError("cut")
	}
	return "ok", err
}

func lateClient(b *bench, _ peer, r *running) (string, error) {
	conn, err := wish(r.addr, "g")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "greeting" {
		return "", wrongError("greeting lost")
	}
	time.Sleep(2 * shortly)
	io.WriteString(conn, "late")
	conn.Close()
	got, err := b.seen()
	if err == nil && got != "late" {
		err = wrongError("cut")
	}
	return "ok", err
}

func serviceResets(_ *bench, _ peer, r *running) (string, error) {
	conn, err := wish(r.addr, "r")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	words := make([]byte, len("last words"))
	if _, err := io.ReadFull(conn, words); err != nil {
		return "", err
	}
	conn.Write([]byte("x"))
	_, err = io.ReadAll(conn)
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return "reset", nil
	case err == nil:
		return "", wrongError("an orderly end")
	}
	return "", err
}

func clientResets(b *bench, _ peer, r *running) (string, error) {
	conn, err := wish(r.addr, "w")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return "", err
	}
	conn.SetLinger(0)
	conn.Close()
	switch got, err := b.seen(); {
	case err != nil:
		return "", err
	case got == "end":
		return "", wrongError("an orderly end")
	default:
		return got, nil
	}
}

// shortOfFiles opens more than there is room for, then makes room.
func shortOfFiles(_ *bench, _ peer, r *running) (string, error) {
	var idle []net.Conn
	for range 100 {
		conn, err := open(r.addr, "e")
		if err != nil {
			break // nobody listens any more: seen below
		}
		idle = append(idle, conn)
	}
	time.Sleep(shortly)
	cut := 0
	for _, conn := range idle {
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			cut++
		}
	}
	closeAll(idle)
	time.Sleep(shortly)
	if !r.alive() {
		return "", wrongError("it dies")
	}
	if err := once(r.addr); err != nil {
		return "", wrongError("takes none again")
	}
	if cut > 0 {
		return fmt.Sprintf("recovers; %d of %d cut", cut, len(idle)), nil
	}
	return "recovers; all wait", nil
}

// alive says whether any process of the forwarder still runs.
func (r *running) alive() bool {
	return slices.ContainsFunc(members(r), func(process string) bool {
		fields := statFields(process)
		return len(fields) > 0 && fields[0] != "Z"
	})
}

func thousands(_ *bench, p peer, r *running) (string, error) {
	if p.forks {
		return "not tried: a process each", nil
	}
	conns, _, _, err := idle(r, 9000)
	defer closeAll(conns)
	if err != nil {
		return "", wrongError(fmt.Sprintf("fails at %d", len(conns)))
	}
	return "ok", nil
}
