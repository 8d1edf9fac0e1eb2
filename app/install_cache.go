package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// cacheOf is where the programs that `up` brings lie in an account's home; "" for
// an account without one.
func cacheOf(account *user.User) string {
	if info, err := os.Stat(account.HomeDir); err != nil || !info.IsDir() {
		return ""
	}
	return filepath.Join(account.HomeDir, ".cache", "fraktalia")
}

// cacheAct makes that folder: the unit, for which the home is read only, may
// write to what is there. It is made by the account itself, for root would follow
// any link that the account has put in its way.
func (i installation) cacheAct() act {
	return act{"make the folder " + i.Cache + " (unless it is there), as " + i.User, func(ctx context.Context) error {
		account, err := user.Lookup(i.User)
		if err != nil {
			return err
		}
		owner, err := credential(account)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "mkdir", "-p", "-m", "700", i.Cache)
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: owner}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
		}
		return nil
	}}
}

func credential(account *user.User) (*syscall.Credential, error) {
	number, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the number of the account %s: %w", account.Username, err)
	}
	group, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the group of the account %s: %w", account.Username, err)
	}
	return &syscall.Credential{Uid: uint32(number), Gid: uint32(group)}, nil
}
