package stack

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// python is an interpreter that can make the virtual environment.
type python struct {
	path    string
	version string // e.g. "3.11"
}

// probe prints the version, then fails where ensurepip is not there: on Debian
// the module venv alone says nothing.
const probe = `import sys; print("%d.%d" % sys.version_info[:2], flush=True); import venv, ensurepip`

// pythonNames are where a Python is looked for, in this order; scripts/python
// has the same.
func pythonNames() []string {
	return []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "/usr/bin/python3"}
}

// findPython takes the first Python of version 3.11 or later that can make
// virtual environments. The error is an ErrNoPython, or an ErrNoVenv where only
// python3-venv is missing.
func findPython(ctx context.Context, names ...string) (python, error) {
	var missing ErrNoPython
	var withoutVenv *ErrNoVenv
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, "-I", "-c", probe).Output()
		version := strings.TrimSpace(string(out))
		switch {
		case version == "": // a shim without a Python behind it
		case !recent(version):
			missing.Found = append(missing.Found, path+" is "+version)
		case err != nil:
			withoutVenv = &ErrNoVenv{Python: path, Version: version}
		default:
			return python{path: path, version: version}, nil
		}
	}
	if withoutVenv != nil {
		return python{}, *withoutVenv
	}
	missing.Found = slices.Compact(missing.Found)
	return python{}, missing
}

// recent says whether a version is 3.11 or later, the least that we test with.
func recent(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major == 3 && minor >= 11
}
