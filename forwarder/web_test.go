package forwarder_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/githabideri/fraktalia/forwarder"
)

// web serves HTTP/2 without TLS and websockets: what most who forward a port
// have behind it.
func web(t *testing.T) (*forwarder.Forwarder, int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && r.ProtoMajor == 1 {
			t.Error(err)
		}
		io.Copy(w, r.Body)
	})
	mux.HandleFunc("/proto", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	mux.Handle("/socket", websocket.Handler(func(conn *websocket.Conn) {
		for {
			var text string
			if websocket.Message.Receive(conn, &text) != nil {
				return
			}
			if text == "bye" {
				return // the service ends the session
			}
			websocket.Message.Send(conn, "you said "+text)
		}
	}))
	server := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	f := start(t, forwarder.Options{Drain: 200 * time.Millisecond})
	f.SetSandboxes([]forwarder.Sandbox{sandboxAt("mox", loopback4)})
	port := freePort(t)
	if err := f.Open(forwarder.Spec{Port: port, To: listener.Addr().(*net.TCPAddr).Port, Bind: forwarder.Loopback}); err != nil {
		t.Fatal(err)
	}
	return f, port
}

// Many streams share one connection, large and small, and it is still good
// after a pause.
func TestAnHTTP2Session(t *testing.T) {
	f, port := web(t)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: transport, Timeout: patience}
	t.Cleanup(client.CloseIdleConnections)
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	for range 2 {
		if got := fetch(t, client, url+"/proto", nil); string(got) != "HTTP/2.0" {
			t.Errorf("got %q", got)
		}
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				body := make([]byte, 1<<(i+1))
				rand.Read(body)
				if got := fetch(t, client, url+"/echo", body); !bytes.Equal(got, body) {
					t.Errorf("a stream of %d bytes came back as %d", len(body), len(got))
				}
			})
		}
		group.Wait()
		time.Sleep(300 * time.Millisecond)
	}
	if s := status(t, f, port); s.Total != 1 {
		t.Errorf("%d connections for one session", s.Total)
	}
}

func fetch(t *testing.T, client *http.Client, url string, body []byte) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return got
}

func TestAWebsocketSession(t *testing.T) {
	f, port := web(t)
	at := fmt.Sprintf("127.0.0.1:%d", port)
	conn, err := websocket.Dial("ws://"+at+"/socket", "", "http://"+at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	for _, text := range []string{"a", string(bytes.Repeat([]byte("long "), 100_000)), "after a pause"} {
		if text == "after a pause" {
			time.Sleep(300 * time.Millisecond)
		}
		if err := websocket.Message.Send(conn, text); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := websocket.Message.Receive(conn, &got); err != nil || got != "you said "+text {
			t.Errorf("got %.40q, %v", got, err)
		}
	}
	websocket.Message.Send(conn, "bye")
	if err := websocket.Message.Receive(conn, new(string)); err == nil {
		t.Error("the service's end did not arrive")
	}
	conn.Close()
	until(t, "the connection counted out", func() bool { return status(t, f, port).Open == 0 })
}
