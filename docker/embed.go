// Package docker holds the build contexts of the images Fraktalia makes, put
// into the binary so that a host needs nothing beside it, and writes the
// sandbox image's Dockerfile from a catalogue of packages. It knows no engine,
// builds nothing and keeps nothing.
package docker

import (
	"embed"
	"io/fs"
)

//go:embed sandbox
var contexts embed.FS

// ShippedProfile is what a deployment has that has chosen nothing.
const ShippedProfile = "web"

// Sandbox returns the build context of the sandbox image: a file system with
// a Dockerfile at its root, that of the profile ShippedProfile. Its build arguments are BASE (a Debian image),
// AGENT_UID and AGENT_GID.
func Sandbox() (fs.FS, error) {
	files, err := fs.Sub(contexts, "sandbox")
	return programs{files}, err
}
