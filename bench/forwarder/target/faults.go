package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/net/websocket"
)

const (
	late    = 2 * time.Second // longer than the impatience of those who cut
	patient = 10 * time.Second
)

// met is what a connection ended with; "?" asks for the next one.
var met = make(chan string, 100) //nolint:gochecknoglobals // the whole of this program's state

// misbehave does what forwarders stumble over: "h" answers long after the
// client's end, "g" ends its own sending first and notes what comes then, "r"
// resets after its last words, "w" notes how the client's sending ended.
func misbehave(conn *net.TCPConn, wish byte) {
	switch wish {
	case 'h':
		got, _ := io.ReadAll(conn)
		time.Sleep(late)
		fmt.Fprintf(conn, "%d bytes", len(got))
	case 'g':
		io.WriteString(conn, "greeting")
		conn.CloseWrite()
		conn.SetDeadline(time.Now().Add(patient))
		got, _ := io.ReadAll(conn)
		met <- string(got)
	case 'r':
		io.WriteString(conn, "last words")
		conn.Read(make([]byte, 1))
		conn.SetLinger(0)
	case 'w':
		io.WriteString(conn, "x")
		conn.SetDeadline(time.Now().Add(patient))
		_, err := io.ReadAll(conn)
		met <- ending(err)
	case '?':
		select {
		case what := <-met:
			io.WriteString(conn, what)
		case <-time.After(patient):
			io.WriteString(conn, "nothing")
		}
	}
}

func ending(err error) string {
	switch {
	case err == nil:
		return "end"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	}
	return "nothing"
}

// web serves HTTP/2 without TLS and websockets.
func web(addr string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.Handle("/socket", websocket.Handler(func(conn *websocket.Conn) {
		var text string
		for websocket.Message.Receive(conn, &text) == nil && text != "bye" {
			websocket.Message.Send(conn, text)
		}
	}))
	server := &http.Server{Addr: addr, Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return server.ListenAndServe()
}
