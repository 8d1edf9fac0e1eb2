// Fraktalia is a companion Matrix bot that administers its own deployment:
// ports to an agent's sandbox, the sandbox's image, friends' accounts.
package main

import (
	"context"
	"io"
	"os"

	"github.com/githabideri/fraktalia/app"
)

// version is set by the linker.
var version = "unknown"

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return app.Main(ctx, version, args, stdin, stdout, stderr)
}
