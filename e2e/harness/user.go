package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// ordinary is the account of somebody who is not root: no machine has this number.
const ordinary = 47110

// asUser runs a program as that somebody: in the group that may use Docker, and
// with an entry among the machine's accounts. The packages of who runs the tests are
// theirs to use: what the program sees of that one's home is a copy that it may
// enter. It is a script, since all of that is made for one process.
const asUser = `#!/bin/sh
exec unshare --mount --propagation private sh -ec '
	mount -t overlay overlay -o metacopy=on,lowerdir=%[1]s,upperdir=%[2]s/upper,workdir=%[2]s/work %[1]s
	chmod 711 %[1]s
	chown %[3]d %[4]s %[4]s/fraktalia
	find %[4]s/fraktalia ! -perm -o+r -exec chown --no-dereference %[3]d:%[3]d {} +
	mount --bind %[2]s/passwd /etc/passwd
	exec setpriv --reuid=%[3]d --regid=%[3]d --groups=%[5]d "$0" "$@"' %[2]s/fraktalia "$@"
`

// ByOrdinaryUser makes a house in which nothing was made yet an ordinary user's: its
// program runs as one from here on. Its folder must be one that others may come
// through.
func (d *Whole) ByOrdinaryUser(ctx context.Context, engine *Engine) error {
	theirs, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	accounts, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	home := filepath.Join(d.dir, "home")
	for _, folder := range []string{home, filepath.Join(d.dir, "upper"), filepath.Join(d.dir, "work")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	group, err := dockerGroup()
	if err != nil {
		return err
	}
	script := fmt.Sprintf(asUser, theirs, d.dir, ordinary, cache, group)
	who := fmt.Sprintf("mila:x:%d:%[1]d::%s:/bin/sh\n", ordinary, home)
	err = errors.Join(
		os.WriteFile(filepath.Join(d.dir, "passwd"), append(accounts, who...), 0o644),
		os.WriteFile(filepath.Join(d.dir, "as-user"), []byte(script), 0o755),
		os.Chown(engine.Socket, 0, group), os.Chmod(engine.Socket, 0o660),
	)
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "sh", "-c", `cp "$0" "$1/fraktalia" && chown -R --no-dereference `+fmt.Sprint(ordinary)+` "$1/data" "$1/home" "$1/model-key"`, d.Binary, d.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("give the folder away: %w\n%s", err, out)
	}
	d.Binary = filepath.Join(d.dir, "as-user")
	d.Env = append(d.Env, "HOME="+home, "USER=mila", "LOGNAME=mila")
	return nil
}

// dockerGroup is the group that may use the machine's engine.
func dockerGroup() (int, error) {
	path := strings.TrimPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if path == "" {
		path = "/var/run/docker.sock"
	}
	var stat syscall.Stat_t
	if err := syscall.Stat(path, &stat); err != nil {
		return 0, fmt.Errorf("the engine's socket: %w", err)
	}
	return int(stat.Gid), nil
}
