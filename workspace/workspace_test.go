package workspace

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// agent is the user who owns the workspaces of these tests.
const agent = 12345

// house is a workspace of agent's, and a folder of root's beside it that
// nobody may touch.
type house struct {
	t       *testing.T
	ws, out string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes files of several users, for which it must be root")
	}
	dir := t.TempDir()
	h := &house{t: t, ws: filepath.Join(dir, "ws"), out: filepath.Join(dir, "out")}
	h.folder(h.ws, 0o755, agent)
	h.folder(h.out, 0o700, 0)
	h.file(filepath.Join(h.out, "shadow"), 0o600, 0)
	return h
}

func (h *house) file(path string, mode uint32, owner int) string {
	h.t.Helper()
	h.must(os.WriteFile(path, []byte("x"), 0o600))
	h.must(unix.Chown(path, owner, owner))
	h.must(unix.Chmod(path, mode))
	return path
}

func (h *house) folder(path string, mode uint32, owner int) string {
	h.t.Helper()
	h.must(os.MkdirAll(path, 0o700))
	h.must(unix.Chown(path, owner, owner))
	h.must(unix.Chmod(path, mode))
	return path
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) in(parts ...string) string { return filepath.Join(append([]string{h.ws}, parts...)...) }

func (h *house) mend() (Plan, Result) {
	h.t.Helper()
	plan, err := Look(h.t.Context(), Folder{Path: h.ws, GuestUID: -1})
	h.must(err)
	result, err := plan.Mend(h.t.Context())
	h.must(err)
	return plan, result
}

// wants compares a file's state.
func (h *house) wants(path string, mode uint32, owner int) {
	h.t.Helper()
	var st unix.Stat_t
	h.must(unix.Lstat(path, &st))
	if got, want := stateOf(st), (State{owner, owner, mode}); got != want {
		h.t.Errorf("%s is %s, want %s", path, got, want)
	}
}

func (h *house) untouched() {
	h.t.Helper()
	h.wants(filepath.Join(h.out, "shadow"), 0o600, 0)
	h.wants(h.out, 0o700, 0)
}

func TestMendsWhatHostAndContainerDisagreeOn(t *testing.T) {
	h := newHouse(t)
	closed := h.file(h.in("closed"), 0o600, agent)
	rooted := h.folder(h.in("rooted"), 0o700, 0)
	script := h.file(h.in("rooted", "run.sh"), 0o700, 0)
	fine := h.file(h.in("fine"), 0o644, agent)
	other := h.file(h.in("other"), 0o600, 777)
	dry, err := Look(t.Context(), Folder{Path: h.ws, GuestUID: -1})
	if err != nil || len(dry.Changes) != 3 {
		t.Fatalf("%+v, %v", dry, err)
	}
	h.wants(closed, 0o600, agent) // looking changes nothing
	_, result := h.mend()
	if len(result.Changed) != 3 || len(result.Left) != 0 {
		t.Errorf("%+v", result)
	}
	h.wants(closed, 0o640, agent)
	h.wants(rooted, 0o750, agent)
	h.wants(script, 0o750, agent)
	h.wants(fine, 0o644, agent)
	h.wants(other, 0o600, 777)
	if again, _ := h.mend(); len(again.Changes) != 0 {
		t.Errorf("a second time: %+v", again.Changes)
	}
	back, err := Restore(t.Context(), h.ws, result.Changed)
	if err != nil || len(back.Changed) != 3 {
		t.Errorf("%+v, %v", back, err)
	}
	h.wants(closed, 0o600, agent)
	h.wants(rooted, 0o700, 0)
	h.wants(script, 0o700, 0)
}

// Where the container has a user of its own, the group is what both share.
func TestSharedGroup(t *testing.T) {
	h := newHouse(t)
	h.must(unix.Chmod(h.ws, unix.S_ISGID|0o750))
	mine, theirs := h.file(h.in("mine"), 0o600, agent), h.file(h.in("theirs"), 0o644, 2000)
	deep := h.folder(h.in("deep"), 0o755, agent)
	folder := Folder{Path: h.ws, GuestUID: 2000, GuestGID: agent}
	plan, err := Look(t.Context(), folder)
	h.must(err)
	_, err = plan.Mend(t.Context())
	h.must(err)
	h.wants(mine, 0o660, agent)
	h.wants(deep, unix.S_ISGID|0o775, agent)
	h.wants(h.ws, unix.S_ISGID|0o770, agent)
	var st unix.Stat_t
	h.must(unix.Lstat(theirs, &st))
	if got, want := stateOf(st), (State{2000, agent, 0o664}); got != want {
		t.Errorf("theirs is %s, want %s", got, want)
	}
	folder.GuestGID = 2000
	var apart *NotSharedError
	if _, err := Look(t.Context(), folder); !errors.As(err, &apart) {
		t.Errorf("without a group in common: %v", err)
	}
}

func TestSecretsAndRepositoriesAreLeft(t *testing.T) {
	h := newHouse(t)
	var kept []string
	for _, name := range []string{"id_ed25519", "a.pem", "b.KEY", ".env", ".env.local", "prod.env", ".netrc", "secrets.json"} {
		kept = append(kept, h.file(h.in(name), 0o600, 0))
	}
	for _, name := range []string{".ssh", ".git", ".gnupg", ".aws"} {
		h.folder(h.in("sub", name), 0o700, 0)
		kept = append(kept, h.file(h.in("sub", name, "config"), 0o600, 0))
	}
	h.folder(h.in("sub"), 0o755, agent)
	if plan, _ := h.mend(); len(plan.Changes) != 0 {
		t.Errorf("%+v", plan.Changes)
	}
	for _, path := range kept {
		h.wants(path, 0o600, 0)
	}
}

// Whatever leads out of the folder stays as it is, and so does what it leads to.
func TestNothingOutsideIsTouched(t *testing.T) {
	h := newHouse(t)
	h.must(os.Symlink(filepath.Join(h.out, "shadow"), h.in("link")))
	h.must(os.Symlink(h.out, h.in("folder")))
	h.must(os.Link(filepath.Join(h.out, "shadow"), h.in("second-name")))
	suid := h.file(h.in("suid"), unix.S_ISUID|0o700, 0)
	h.must(unix.Mkfifo(h.in("pipe"), 0o600))
	h.folder(h.in("mounted"), 0o755, agent)
	h.must(unix.Mount(h.out, h.in("mounted"), "", unix.MS_BIND, ""))
	defer unix.Unmount(h.in("mounted"), unix.MNT_DETACH)
	deep := h.ws
	for range mostDepth + 20 {
		deep = h.folder(filepath.Join(deep, "d"), 0o755, agent)
	}
	plan, result := h.mend()
	if len(result.Changed) != 0 {
		t.Errorf("changed %+v", result.Changed)
	}
	for _, reason := range []string{"second name", "setuid", "mounted", "too deep"} {
		if !slices.ContainsFunc(plan.Left, func(l Left) bool { return strings.Contains(l.Reason, reason) }) {
			t.Errorf("no word of %q in %+v", reason, plan.Left)
		}
	}
	h.wants(suid, unix.S_ISUID|0o700, 0)
	h.wants(filepath.Join(h.out, "shadow"), 0o600, 0)
}

func TestFolderWithALinkInItsPathIsRefused(t *testing.T) {
	h := newHouse(t)
	link := h.ws + "-link"
	h.must(os.Symlink(h.out, link))
	for _, path := range []string{link, filepath.Join(link, ".")} {
		if _, err := Look(t.Context(), Folder{Path: path, GuestUID: -1}); err == nil {
			t.Errorf("%s was taken", path)
		}
	}
	if _, err := Restore(t.Context(), link, []Change{{Path: "shadow"}}); err == nil {
		t.Error("taking back followed it")
	}
	h.untouched()
}

// The agent exchanges a folder for a link to root's files, over and over,
// while the folder is looked at and mended. A program that goes by paths is
// shown to fall for it: else this would prove nothing.
func TestExchangedForALinkWhileItIsMended(t *testing.T) {
	h := newHouse(t)
	h.folder(h.in("d"), 0o700, agent)
	h.must(os.Symlink(h.out, h.in("link")))
	stop, swapping := make(chan struct{}), sync.WaitGroup{}
	swapping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, h.in("d"), unix.AT_FDCWD, h.in("link"), unix.RENAME_EXCHANGE)
			}
		}
	})
	defer func() { close(stop); swapping.Wait() }()
	victim := filepath.Join(h.out, "shadow")
	for round := range 3000 {
		// A file of the same name on both sides; the inner one is to be mended.
		for _, way := range []string{h.in("d", "shadow"), h.in("link", "shadow")} {
			if fd, err := unix.Openat2(unix.AT_FDCWD, way, &unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: 0o600, Resolve: unix.RESOLVE_NO_SYMLINKS}); err == nil {
				unix.Fchown(fd, 0, 0)
				unix.Fchmod(fd, 0o600)
				unix.Close(fd)
			}
		}
		h.mend()
		var st unix.Stat_t
		h.must(unix.Lstat(victim, &st))
		if stateOf(st) != (State{0, 0, 0o600}) {
			t.Fatalf("round %d: root's file is %s", round, stateOf(st))
		}
	}
	for range 200_000 { // the control
		naive(h.ws)
		var st unix.Stat_t
		h.must(unix.Lstat(victim, &st))
		if st.Uid == agent {
			return
		}
	}
	t.Error("the attack does not work even on a program that goes by paths: it proves nothing")
}

// naive is how one would write it without a thought of the agent.
func naive(root string) {
	filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type()&fs.ModeSymlink == 0 {
			if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink == 0 {
				os.Chown(path, agent, agent)
			}
		}
		return nil
	})
}

// A file that is not any more what was looked at stays as it is.
func TestWhatChangedMeanwhileIsLeft(t *testing.T) {
	h := newHouse(t)
	path := h.file(h.in("f"), 0o600, 0)
	plan, err := Look(t.Context(), Folder{Path: h.ws, GuestUID: -1})
	h.must(err)
	h.must(os.Remove(path))
	h.must(os.Link(filepath.Join(h.out, "shadow"), path))
	result, err := plan.Mend(t.Context())
	if err != nil || len(result.Changed) != 0 || len(result.Left) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	h.untouched()
}

func TestWant(t *testing.T) {
	owner := State{1000, 1000, 0o755}
	for name, test := range map[string]struct {
		is     State
		folder bool
		mixed  bool
		want   State
	}{
		"fine":                {State{1000, 1000, 0o644}, false, false, State{1000, 1000, 0o644}},
		"closed":              {State{1000, 1000, 0o600}, false, false, State{1000, 1000, 0o640}},
		"closed to its owner": {State{1000, 1000, 0o060}, false, false, State{1000, 1000, 0o660}},
		"read-only":           {State{1000, 1000, 0o400}, false, false, State{1000, 1000, 0o440}},
		"root's":              {State{0, 0, 0o600}, false, false, State{1000, 1000, 0o640}},
		"another group":       {State{1000, 50, 0o600}, false, false, State{1000, 50, 0o600}},
		"mixed":               {State{2000, 50, 0o700}, false, true, State{2000, 1000, 0o770}},
		"a folder":            {State{1000, 1000, 0o700}, true, false, State{1000, 1000, 0o750}},
		"nobody else gets it": {State{1000, 1000, 0o640}, false, true, State{1000, 1000, 0o660}},
	} {
		p := pattern{owner: owner, share: 5}
		if test.mixed {
			p.mixed, p.share = true, 7
		}
		if got := p.want(test.is, test.folder); got != test.want {
			t.Errorf("%s: %s becomes %s, want %s", name, test.is, got, test.want)
		}
	}
}
