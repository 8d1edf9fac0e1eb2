package workspace

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// pattern is what everything in a folder is brought up to: the owner and group
// of the folder itself, and as much for the group as the folder itself gives
// it, or all where the container's user is another one. Nobody else ever gets
// a right, and nobody loses one.
type pattern struct {
	owner State // of the folder itself
	share uint32
	mixed bool // two users work here, by way of the group
}

func patternOf(root State, f Folder) (pattern, error) {
	p := pattern{owner: root, share: root.Mode >> 3 & 7}
	if f.GuestUID < 0 || f.GuestUID == root.UID {
		return p, nil
	}
	if f.GuestGID != root.GID {
		return p, &NotSharedError{Owner: root, Guest: State{UID: f.GuestUID, GID: f.GuestGID}}
	}
	p.mixed, p.share = true, 7
	return p, nil
}

// want is how a file should be.
func (p pattern) want(is State, folder bool) State {
	want := is
	if is.UID == 0 && p.owner.UID != 0 {
		want.UID, want.GID = p.owner.UID, p.owner.GID
	}
	if p.mixed {
		want.GID = p.owner.GID
	}
	if want.GID != p.owner.GID {
		return want // a group of its own: whoever set it meant it
	}
	user, group := is.Mode>>6&7, is.Mode>>3&7
	if user&4 == 0 && group&4 != 0 { // closed to its own user
		user |= group
	}
	want.Mode = is.Mode | user<<6 | (user&p.share)<<3
	if folder && p.owner.Mode&unix.S_ISGID != 0 {
		want.Mode |= unix.S_ISGID // what is made in it gets the group, as in the folder itself
	}
	return want
}

// untouchable says whether a name is that of a secret or of a repository's
// inside: closed on purpose, and with all that is below it.
func untouchable(name string) bool {
	name = strings.ToLower(name)
	for _, pattern := range []string{
		".ssh", ".gnupg", ".git", ".aws", ".azure", ".kube", ".docker", ".password-store", ".netrc", ".npmrc", ".pypirc", ".pgpass",
		".git-credentials", ".env", ".env.*", "*.env", "id_*", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "*.gpg", "*.jks",
		"credentials", "credentials.*", "secret", "secret.*", "secrets", "secrets.*", ".secret*", ".token*",
	} {
		if match, err := path.Match(pattern, name); err == nil && match {
			return true
		}
	}
	return false
}
