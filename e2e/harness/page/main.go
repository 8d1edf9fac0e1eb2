// Command page is what runs in the tests' stand-in for a sandbox: a web server
// that says one word on each of the ports given.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	word, ports := os.Args[1], os.Args[2:]
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s\n", word, r.URL.Path)
	})
	failed := make(chan error)
	for _, port := range ports {
		go func() { failed <- http.ListenAndServe(":"+port, handler) }()
	}
	log.Fatal(<-failed)
}
