package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/net/netutil"
)

const (
	// connectionsMost are open at once: others on this machine must not use up
	// the program's descriptors.
	connectionsMost = 8
	askLimit        = 5 * time.Second // for a question
	answerLimit     = 10 * time.Second
	idleLimit       = 2 * time.Minute // a collector comes again sooner
	retryEvery      = 5 * time.Second
)

// Server answers GET /metrics.
type Server struct {
	address string
	gather  func() []Family
	log     *logrus.Entry
	failure atomic.Pointer[error]
}

// New makes a server for a loopback address; gather is asked at each question.
func New(address string, gather func() []Family, log *logrus.Entry) *Server {
	return &Server{address: address, gather: gather, log: log}
}

// Failure is why it does not listen now, nil where it does.
func (s *Server) Failure() error {
	if failure := s.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// Run answers until ctx ends. Where the address is taken it says so once and
// tries again: the rest of the program is worth more than its counts.
func (s *Server) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		listener, err := net.Listen("tcp", s.address)
		if err == nil {
			s.failure.Store(nil)
			s.log.WithField("address", s.address).Info("metrics are served")
			err = s.serve(ctx, listener)
		}
		if ctx.Err() != nil {
			return nil
		}
		if s.failure.Swap(&err) == nil {
			s.log.WithError(err).WithField("address", s.address).Error("metrics are not served; trying again")
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
	return nil
}

func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: askLimit, ReadTimeout: askLimit, WriteTimeout: answerLimit,
		IdleTimeout: idleLimit, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(netutil.LimitListener(listener, connectionsMost)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if !byAddress(r.Host) {
			http.Error(w, "Ask by this machine's address, not by a name.", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", contentType)
		if err := Write(w, s.gather()); err != nil {
			s.log.WithError(err).Debug("a collector went away")
		}
	})
	return mux
}

// byAddress says whether a question was made to an address or to localhost. A
// page in a browser on this machine can give a name of its own this address
// (DNS rebinding), and would read what it must not.
func byAddress(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	_, err := netip.ParseAddr(trimBrackets(host))
	return err == nil
}

// trimBrackets takes those of an IPv6 address without a port away.
func trimBrackets(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}
