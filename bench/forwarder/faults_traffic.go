package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/websocket"
)

// slowReader does not read what is sent to it. The forwarder must hold the
// sender back, not gather the bytes, and others must not notice.
func slowReader(_ *bench, _ peer, r *running) (string, error) {
	memory := residentKiB(r)
	slow, err := wish(r.addr, "b")
	if err != nil {
		return "", err
	}
	defer slow.Close()
	time.Sleep(2 * shortly)
	if grown := residentKiB(r) - memory; grown > 16<<10 {
		return "", wrongError(fmt.Sprintf("gathers %.0f MiB", grown/1024))
	}
	began := time.Now()
	if err := once(r.addr); err != nil || time.Since(began) > shortly {
		return "", wrongError("holds others back")
	}
	if _, err := io.CopyN(io.Discard, slow, 64<<20); err != nil {
		return "", err
	}
	return "ok", nil
}

func http2Session(_ *bench, _ peer, r *running) (string, error) {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: transport, Timeout: soon}
	defer client.CloseIdleConnections()
	failed := make(chan error, 100)
	for range 2 { // and again after a pause
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() { failed <- httpEcho(client, "http://"+r.addr+"/echo", 1<<i) })
		}
		group.Wait()
		time.Sleep(shortly)
	}
	close(failed)
	for err := range failed {
		if err != nil {
			return "", err
		}
	}
	return "ok", nil
}

func httpEcho(client *http.Client, url string, size int) error {
	body := bytes.Repeat([]byte{byte(size), 7}, size)
	response, err := client.Post(url, "", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err == nil && (!bytes.Equal(got, body) || response.ProtoMajor != 2) {
		err = wrongError("bytes lost")
	}
	return err
}

func websocketSession(_ *bench, _ peer, r *running) (string, error) {
	conn, err := websocket.Dial("ws://"+r.addr+"/socket", "", "http://"+r.addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon))
	for _, text := range []string{"a", string(bytes.Repeat([]byte("long "), 100_000)), "b"} {
		if err := websocket.Message.Send(conn, text); err != nil {
			return "", err
		}
		var got string
		if err := websocket.Message.Receive(conn, &got); err != nil || got != text {
			return "", wrongError("bytes lost")
		}
		time.Sleep(shortly)
	}
	websocket.Message.Send(conn, "bye")
	if err := websocket.Message.Receive(conn, new(string)); err == nil {
		return "", wrongError("no end")
	}
	return "ok", nil
}

// stopped asks the forwarder to stop as its manual says, while a connection is
// in use. What is open may end in peace, but not go on for ever.
func stopped(_ *bench, p peer, r *running) (string, error) {
	conn, err := wish(r.addr, "e")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := ping(conn); err != nil {
		return "", err
	}
	if err := r.cmd.Process.Signal(p.graceful); err != nil {
		return "", err
	}
	time.Sleep(shortly)
	if once(r.addr) == nil {
		return "", wrongError("takes new ones")
	}
	if ping(conn) != nil {
		return "", wrongError("cuts")
	}
	for began := time.Now(); time.Since(began) < 2*soon; time.Sleep(shortly / 4) {
		if ping(conn) != nil {
			return "drains, with a limit", nil
		}
	}
	return "drains, without a limit", nil
}

// hasEnded waits until a connection has ended, in whatever way.
func hasEnded(conn io.Reader) error {
	_, err := io.Copy(io.Discard, conn)
	if err == nil || isReset(err) {
		return nil
	}
	return err
}

func isReset(err error) bool { return plainly(err) == plainly(syscall.ECONNRESET) }
