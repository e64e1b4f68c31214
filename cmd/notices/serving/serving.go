// Package serving is the process of notices serve: its sockets, its certificate, its signals and
// what it tells systemd. What is spoken on the sockets, and how mail goes out, its caller brings.
//
//	SIGHUP            reloads the config and the certificate (Options.Reload)
//	SIGTERM, SIGINT   stops: no new connections, what is being taken in is answered, what is on the
//	                  wire outward is finished or noted, all within stopTime. A second one kills.
//
// The sockets may be systemd's (socket activation): then they stay open while one process follows
// another, and no connection is refused.
package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/net/netutil"

	"notices/spool/maillog"
)

const (
	// stopTime is how long stopping may take. Whoever stops a service waits ten seconds.
	stopTime = 9 * time.Second
	// talkTime is the part of it for clients that are handing in mail.
	talkTime = 5 * time.Second
)

// Mail takes in mail. Package submission's Server is one.
type Mail interface {
	// ServeTLS takes connections that begin with TLS, until Shutdown.
	ServeTLS(l net.Listener) error
	// ServeSTARTTLS takes connections that begin in the clear, until Shutdown.
	ServeSTARTTLS(l net.Listener) error
	// Shutdown takes no more connections, and ends sessions between two messages. It waits until
	// all have ended; when ctx ends, it closes those that are left.
	Shutdown(ctx context.Context) error
}

// Options are what a service consists of.
type Options struct {
	Listeners   Listeners
	Certificate *Certificate // nil if no listener uses TLS
	Mail        Mail
	Deliver     func(context.Context) // sends mail until its context ends; nil if only flush sends
	HTTPS       http.Handler          // on the listeners for HTTPS
	Metrics     http.Handler          // on those for metrics
	Health      *Health
	Watch       bool   // Health tries the spool even if nobody asks: for a spool that can be away
	Reload      func() // on SIGHUP
	Log         *maillog.Log
}

// Run works until a signal stops it. An error says that it could not go on.
func Run(ctx context.Context, o Options) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	return run(ctx, o, signals, func() { signal.Reset(syscall.SIGTERM, syscall.SIGINT) }) // a second one kills
}

// run is Run with signals from anywhere. stopping is called when the first one stops it.
func run(ctx context.Context, o Options, signals <-chan os.Signal, stopping func()) error {
	s := &service{Options: o, failed: make(chan error, 1)}
	s.start(ctx)
	tell(daemon.SdNotifyReady)
	err := s.wait(ctx, signals)
	stopping()
	tell(daemon.SdNotifyStopping)
	s.stop()
	return err
}

// service is what runs.
type service struct {
	Options
	failed  chan error // of a listener
	web     []*http.Server
	cancel  context.CancelFunc // ends delivery, and the watching of the certificate
	deliver sync.WaitGroup
	rest    sync.WaitGroup
}

func (s *service) start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	for kind, list := range s.Listeners {
		for _, l := range list {
			s.serve(kind, l)
		}
	}
	if s.Certificate != nil {
		s.rest.Go(func() { s.Certificate.Watch(ctx, s.Log) })
	}
	if s.Watch {
		s.rest.Go(func() { s.Health.Watch(ctx) })
	}
	if s.Deliver != nil {
		s.deliver.Go(func() { s.Deliver(ctx) })
	}
}

// serve takes connections in the background.
func (s *service) serve(kind Kind, l net.Listener) {
	run := func() error { return s.Mail.ServeTLS(l) }
	switch kind {
	case StartTLS:
		run = func() error { return s.Mail.ServeSTARTTLS(l) }
	case HTTPS:
		web := newWeb(s.HTTPS)
		s.web = append(s.web, web)
		run = func() error {
			return web.Serve(tls.NewListener(netutil.LimitListener(l, maxWeb), s.Certificate.Config()))
		}
	case Metrics:
		web := newWeb(s.Metrics)
		s.web = append(s.web, web)
		run = func() error { return web.Serve(netutil.LimitListener(l, maxWeb)) }
	}
	s.rest.Go(func() {
		if err := run(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			select {
			case s.failed <- err:
			default:
			}
		}
	})
}

// wait works until it is to stop.
func (s *service) wait(ctx context.Context, signals <-chan os.Signal) error {
	var watchdog <-chan time.Time
	if interval, err := daemon.SdWatchdogEnabled(false); err == nil && interval > 0 {
		tick := time.NewTicker(interval / 3)
		defer tick.Stop()
		watchdog = tick.C
	}
	for {
		select {
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return nil
			}
			tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
			s.Reload()
			tell(daemon.SdNotifyReady)
		case <-watchdog:
			tell(daemon.SdNotifyWatchdog)
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// stop ends all within stopTime. The attempts of messages that a server has not answered by then
// are in their records.
func (s *service) stop() {
	ctx, done := context.WithTimeout(context.Background(), stopTime)
	defer done()
	if s.Health != nil {
		s.Health.End()
	}
	s.cancel()
	s.rest.Go(func() {
		talking, done := context.WithTimeout(ctx, talkTime)
		defer done()
		_ = s.Mail.Shutdown(talking) // only that some clients were cut off
		for _, web := range s.web {
			_ = web.Shutdown(talking)
			_ = web.Close()
		}
	})
	over := make(chan struct{})
	go func() {
		s.deliver.Wait()
		s.rest.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// tell tells systemd, sd_notify(3). Without systemd that does nothing; an error is no reason to
// stop, for systemd finds out by itself.
func tell(state string) { _, _ = daemon.SdNotify(false, state) }
