// Package docker holds the build contexts of the images Fraktalia makes, put
// into the binary so that a host needs nothing beside it. It knows no engine
// and builds nothing.
package docker

import (
	"embed"
	"io/fs"
)

//go:embed sandbox
var contexts embed.FS

// Sandbox returns the build context of the sandbox image: a file system with
// a Dockerfile at its root. Its build arguments are BASE (a Debian image),
// AGENT_UID and AGENT_GID.
func Sandbox() (fs.FS, error) { return fs.Sub(contexts, "sandbox") }
