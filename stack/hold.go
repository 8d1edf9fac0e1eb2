package stack

// Hold takes a data folder for this process, as a running homeserver of it
// does, and makes it where it is not there. Errors: ErrLocked, ErrDataFolder.
func Hold(data string) (release func() error, err error) {
	l, err := newLayout(data)
	if err != nil {
		return nil, err
	}
	lock, err := lockFolder(l.dir)
	if err != nil {
		return nil, err
	}
	return lock.Close, nil
}
