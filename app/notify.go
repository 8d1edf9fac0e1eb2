package app

import (
	"context"
	"net"
	"os"
	"strconv"
	"time"
)

// notify tells systemd how the program is (sd_notify(3)), where it was started
// by systemd: one datagram, for which a library would be too much.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", path) // Go knows the "@" of abstract names
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}

func (d *deployment) notify(state string) {
	if err := notify(state); err != nil {
		d.log.WithError(err).Warn("systemd could not be told: " + state)
	}
}

// stayAlive tells systemd that the program is ready, and again and again that
// it lives, as long as its database answers; what does not gets it restarted.
func (d *deployment) stayAlive(ctx context.Context) {
	d.notify("READY=1")
	defer d.notify("STOPPING=1")
	microseconds, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || microseconds <= 0 {
		<-ctx.Done()
		return
	}
	every := time.NewTicker(time.Duration(microseconds) * time.Microsecond / 3)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if _, err := d.store.Version(ctx); err == nil {
				d.notify("WATCHDOG=1")
			}
		}
	}
}
