package command

import (
	"context"
	"time"
)

// Outlast returns a context that ends extra after ctx has ended: what has been
// begun is told to its end, but a program that is to stop does stop.
func Outlast(ctx context.Context, extra time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(extra, cancel) })
	return longer, func() { stop(); cancel() }
}
