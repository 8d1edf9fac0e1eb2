package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	warmUp      = 200 * time.Millisecond
	bulkFor     = 1500 * time.Millisecond
	connectFor  = 1500 * time.Millisecond
	pingFor     = time.Second
	callers     = 8 // that make connections side by side
	readBuffer  = 256 << 10
	pingPayload = 64
)

// open makes a connection and says what is wanted of it.
func open(addr, wish string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	_, err = conn.Write([]byte(wish))
	return conn, err
}

// bulk downloads over some streams at once. It returns Gbit/s and the
// forwarder's CPU seconds for each GB.
func bulk(r *running, streams int) (rate, cpu float64, err error) {
	var count atomic.Int64
	var group sync.WaitGroup
	conns := make([]net.Conn, streams)
	for i := range conns {
		if conns[i], err = open(r.addr, "b"); err != nil {
			return 0, 0, err
		}
		group.Go(func() {
			buffer := make([]byte, readBuffer)
			for {
				n, err := conns[i].Read(buffer)
				if err != nil {
					return
				}
				count.Add(int64(n))
			}
		})
	}
	time.Sleep(warmUp)
	bytes, busy, began := count.Load(), cpuSeconds(r), time.Now()
	time.Sleep(bulkFor)
	bytes, busy = count.Load()-bytes, cpuSeconds(r)-busy
	seconds := time.Since(began).Seconds()
	for _, conn := range conns {
		conn.Close()
	}
	group.Wait()
	return float64(bytes) * 8 / 1e9 / seconds, busy / (float64(bytes) / 1e9), nil
}

// connects makes connections that the service closes after one byte, and
// returns how many a second.
func connects(r *running) (float64, error) {
	var count, failed atomic.Int64
	var last atomic.Pointer[error]
	var group sync.WaitGroup
	began := time.Now()
	for range callers {
		group.Go(func() {
			for time.Since(began) < connectFor {
				if err := call(r.addr); err != nil {
					failed.Add(1)
					last.Store(&err)
				} else {
					count.Add(1)
				}
			}
		})
	}
	group.Wait()
	rate := float64(count.Load()) / time.Since(began).Seconds()
	if bad := failed.Load(); bad > count.Load()/100 {
		return rate, fmt.Errorf("%d of %d connections failed: %w", bad, bad+count.Load(), *last.Load())
	}
	return rate, nil
}

// call is one short connection to its end.
func call(addr string) error {
	conn, err := open(addr, "o")
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	got, err := io.ReadAll(conn)
	if err == nil && len(got) != 1 {
		err = fmt.Errorf("%d bytes", len(got))
	}
	return err
}

// pings sends small messages to and fro, one at a time, and returns the
// median and the 99th percentile in microseconds.
func pings(r *running) (p50, p99 float64, err error) {
	conn, err := open(r.addr, "e")
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	message := make([]byte, pingPayload)
	var took []float64
	for began := time.Now(); time.Since(began) < pingFor; {
		sent := time.Now()
		if _, err := conn.Write(message); err != nil {
			return 0, 0, err
		}
		if _, err := io.ReadFull(conn, message); err != nil {
			return 0, 0, err
		}
		took = append(took, float64(time.Since(sent).Nanoseconds())/1e3)
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], nil
}

// idle opens connections that say one byte and then nothing. It returns them
// open, with what one costs the forwarder in KiB and descriptors.
func idle(r *running, many int) (conns []net.Conn, kib, files float64, err error) {
	memory, descriptors := residentKiB(r), openFiles(r)
	for range many {
		conn, err := open(r.addr, "e")
		if err != nil {
			return conns, 0, 0, err
		}
		conns = append(conns, conn)
		if err := ping(conn); err != nil {
			return conns, 0, 0, err
		}
	}
	return conns, (residentKiB(r) - memory) / float64(many), (openFiles(r) - descriptors) / float64(many), nil
}

func ping(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	defer conn.SetDeadline(time.Time{})
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

func closeAll(conns []net.Conn) {
	for _, conn := range conns {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}
