// Command page is what runs in the tests' stand-in for a sandbox: a web server
// that says one word on each of the ports given, or addresses such as
// 127.0.0.1:9005.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	word, ports := os.Args[1], os.Args[2:]
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s\n", word, r.URL.Path)
	})
	failed := make(chan error)
	for _, port := range ports {
		if !strings.Contains(port, ":") {
			port = ":" + port
		}
		go func() { failed <- http.ListenAndServe(port, handler) }()
	}
	log.Fatal(<-failed)
}
