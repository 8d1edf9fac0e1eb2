// Command page is what runs in the tests' stand-in for a sandbox: a web server
// that says one word on each of the ports given, or addresses such as
// 127.0.0.1:9005, and sends the datagrams back, behind the word, that come to
// udp:9005. Asked for /open/9006 or /close/9006 it begins or ends to serve
// there, as an agent's program does.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

func main() {
	p := &page{word: os.Args[1], open: map[string]net.Listener{}}
	for _, port := range os.Args[2:] {
		var err error
		if udp, ok := strings.CutPrefix(port, "udp:"); ok {
			err = p.echo(":" + udp)
		} else {
			err = p.serve(port)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	select {}
}

type page struct {
	word string
	mu   sync.Mutex
	open map[string]net.Listener
}

// ServeHTTP implements http.Handler.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var err error
	if port, ok := strings.CutPrefix(r.URL.Path, "/open/"); ok {
		err = p.serve(port)
	} else if port, ok := strings.CutPrefix(r.URL.Path, "/close/"); ok {
		err = p.shut(port)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	fmt.Fprintf(w, "%s %s\n", p.word, r.URL.Path)
}

func (p *page) serve(port string) error {
	address := port
	if !strings.Contains(port, ":") {
		address = ":" + port
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[port] = listener
	go http.Serve(listener, p) // ends when it is shut
	return nil
}

func (p *page) shut(port string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	listener := p.open[port]
	if listener == nil {
		return fmt.Errorf("nothing is open at %s", port)
	}
	delete(p.open, port)
	return listener.Close()
}

// echo sends datagrams back.
func (p *page) echo(address string) error {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				log.Fatal(err)
			}
			if _, err := conn.WriteTo(append([]byte(p.word+" "), buffer[:n]...), from); err != nil {
				log.Print(err)
			}
		}
	}()
	return nil
}
