package app

import (
	"context"
	"sync"
)

// arrived tells when an owner is in the admin room. What is said there before
// nobody can ever read: the room shows its members what was said since they came.
type arrived struct {
	once sync.Once
	came chan struct{}
}

func newArrived() *arrived { return &arrived{came: make(chan struct{})} }

// wait waits for an owner; false where ctx ends first.
func (a *arrived) wait(ctx context.Context) bool {
	select {
	case <-a.came:
		return true
	case <-ctx.Done():
		return false
	}
}

// ownerCame notes that an owner has logged in and come.
func (d *deployment) ownerCame(context.Context, string) {
	d.forgetFirstPassword()
	d.ownerIn.once.Do(func() { close(d.ownerIn.came) })
}
