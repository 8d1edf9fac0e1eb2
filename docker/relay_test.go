package docker

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestTheRelayIsExecutable(t *testing.T) {
	files := programs{fstest.MapFS{
		"Dockerfile":                  {Mode: 0o444},
		"relay/fraktalia-relay-amd64": {Mode: 0o444, Data: []byte("ELF")},
		"relay/README":                {Mode: 0o444},
	}}
	modes := map[string]fs.FileMode{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		modes[name] = info.Mode()
		return err
	})
	if err != nil || len(modes) != 3 {
		t.Fatalf("%v, %v", modes, err)
	}
	for name, mode := range modes {
		if executable := mode&0o111 == 0o111; executable != (name == "relay/fraktalia-relay-amd64") {
			t.Errorf("%s has mode %v", name, mode)
		}
	}
	if text, err := fs.ReadFile(files, "relay/fraktalia-relay-amd64"); string(text) != "ELF" || err != nil {
		t.Errorf("content %q, %v", text, err)
	}
}
