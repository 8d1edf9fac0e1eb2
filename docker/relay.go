package docker

import (
	"io/fs"
	"path"
	"strings"
)

// relayPrefix begins the names of the relay's programs in the build context;
// the kind of processor follows, in Debian's words.
const relayPrefix = "fraktalia-relay-"

// Relays lists the kinds of processor for which this binary has the relay
// that goes into the sandbox image, e.g. "amd64". None: it was not built by
// scripts/build, which makes the relay first.
func Relays() []string {
	files, err := fs.Glob(contexts, "sandbox/relay/"+relayPrefix+"*")
	if err != nil {
		return nil
	}
	var kinds []string
	for _, file := range files {
		kinds = append(kinds, strings.TrimPrefix(path.Base(file), relayPrefix))
	}
	return kinds
}

// programs makes the relay's programs executable: embedding keeps no modes.
type programs struct{ fs.FS }

// ReadDir is what a walk of the tree asks.
func (p programs) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(p.FS, name)
	for i, entry := range entries {
		if strings.HasPrefix(entry.Name(), relayPrefix) {
			entries[i] = program{entry}
		}
	}
	return entries, err
}

type program struct{ fs.DirEntry }

func (p program) Info() (fs.FileInfo, error) {
	info, err := p.DirEntry.Info()
	return programInfo{info}, err
}

type programInfo struct{ fs.FileInfo }

func (p programInfo) Mode() fs.FileMode { return p.FileInfo.Mode() | 0o111 }
