package route

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"notices/spool"
	"notices/spool/maillog"
	"notices/spool/rate"
	"notices/spool/smtpclient"
)

// Server is one server of a route: how to talk to it, and its limits.
type Server struct {
	smtpclient.Server
	Connections           int // at most so many at once; under 1: 1
	MessagesPerConnection int // transactions, then a fresh connection; 0: no limit
	RecipientsPerMessage  int // a message to more goes in several transactions; 0: no limit
	RatePerMinute         int // transactions in any 60 seconds, over all flushes; 0: no limit
	RatePerDay            int // the same in any 24 hours
	// Senders are the envelope senders whose mail it takes: addresses, or domains as
	// "@branch.example.org"; empty: it takes mail from anybody.
	Senders []string
}

// Options of a Route.
type Options struct {
	Servers []Server     // in the order in which they are asked
	Limits  []rate.Limit // [[limit]]: of recipients' domains, whatever the server
	State   spool.State  // health, rates and limits, shared with all flushes
	Log     *maillog.Log // may be nil
	Now     func() time.Time
	// IgnoreBreaker tries servers that an earlier run paused (flush ID, --all). What
	// this run meets still pauses a server for the rest of the run.
	IgnoreBreaker bool
	// KeepOutages is how long it is known when a server was down; 0: not at all.
	KeepOutages time.Duration
}

// Route takes messages to the first server that works. It lives for one run.
type Route struct {
	servers  []*server
	bySender bool // some server takes mail only from its Senders
	limits   *rate.Limits
	log      *maillog.Log
	now      func() time.Time
	gate     gate
	// quotaExhausted: a server's rate_per_day put a message off.
	quotaExhausted atomic.Bool
}

// New makes a route. Nothing is read or dialled before the first message.
func New(o Options) *Route {
	return newRoute(o, func(ctx context.Context, s *smtpclient.Server) (client, error) {
		c, err := smtpclient.Open(ctx, s)
		if err != nil {
			return nil, err // not c: a nil *Conn in an interface is not nil
		}
		return c, nil
	})
}

func newRoute(o Options, open opener) *Route {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Route{log: o.Log, now: o.Now, limits: rate.NewLimits(o.Limits, o.State, o.Now)}
	for _, s := range o.Servers {
		r.servers = append(r.servers, newServer(s, o, open, &r.gate))
		r.bySender = r.bySender || len(s.Senders) > 0
	}
	return r
}

// Workers is how many messages may be handed to Deliver at once: one for each connection of
// the largest server. Backup servers are used instead of it, and servers for different senders
// share the workers.
func (r *Route) Workers() int {
	most := 1
	for _, s := range r.servers {
		most = max(most, s.config.Connections)
	}
	return most
}

// Deliver attempts m. An error means that nothing can be said of the message and the run is over:
// the attempt could not be recorded, the rates could not be counted, or ctx ended before a server
// was asked. When ctx ends later, what was not sent is reported as deferred.
func (r *Route) Deliver(ctx context.Context, m *spool.Message) (spool.Delivery, error) {
	sender := m.Sender
	if m.Report {
		sender = ""
	}
	servers := r.serversFor(sender, m.Recipients)
	if len(servers) == 0 {
		return r.noServerFor(m.Sender), nil
	}
	a := newAttempt(m)
	defer a.leaveGate()
	a.limits = r.limits.For(m.Recipients)
	defer a.limits.PutBack()
	if err := a.reserve(ctx, false); err != nil {
		return spool.Delivery{}, err
	}
	for {
		if err := r.offer(ctx, servers, a); err != nil {
			return r.halt(ctx, servers, a, err)
		}
		if a.separate(len(servers)) {
			continue
		}
		if len(a.needUTF8) == 0 || len(a.open) > 0 && (a.lastServer == nil || a.untried()) {
			break
		}
		conclude(servers, a)
		a.open, a.needUTF8, a.skipped, a.ambiguousFrom = a.needUTF8, nil, nil, nil
	}
	switch {
	case a.lastServer != nil && !a.untried():
	case len(a.open) == 0:
		// Because of limits no server was asked.
		return spool.Delivery{Wait: spool.Limited, Until: a.until, Outcomes: a.outcomes[:1]}, nil
	default:
		return noServer(servers), nil
	}
	return conclude(servers, a), nil
}

// offer asks one server after another for the open recipients.
func (r *Route) offer(ctx context.Context, servers []*server, a *attempt) error {
	tried := make([]bool, len(servers))
	for len(a.open) > 0 {
		i, failover := next(ctx, servers, tried)
		if i < 0 {
			break
		}
		if failover && a.lastServer == nil && a.gate == nil {
			if waited, err := r.gate.wait(ctx); err != nil {
				return err
			} else if waited {
				continue
			}
		}
		tried[i] = true
		if failover {
			servers[i].breaker.retry()
		}
		if err := servers[i].deliver(ctx, a); err != nil && !errors.Is(err, errDown) {
			return err
		}
	}
	return nil
}

// conclude sums up what the servers said of the open recipients, or that no server was left for
// them.
func conclude(servers []*server, a *attempt) spool.Delivery {
	if len(a.open) > 0 && len(a.skipped) == 0 {
		o := noServer(servers).Outcomes[0]
		o.Class = spool.Deferred
		a.skipped = append(a.skipped, o)
	}
	return a.delivery(len(servers))
}

// next picks the first server that is up and was not tried for this message; -1 if none is left.
// When no server is up, it picks one that an earlier run paused: each is tried once a run, or a site
// whose only server was down when a run began would wait for the pauses to add up. failover: it is
// not simply the first server.
func next(ctx context.Context, servers []*server, tried []bool) (i int, failover bool) {
	anyUp, lastResort := false, -1
	for i, s := range servers {
		switch s.breakerState(ctx) {
		case breakerClosed:
			if !tried[i] {
				return i, i > 0
			}
			anyUp = true
		case breakerPaused:
			if !tried[i] && lastResort < 0 {
				lastResort = i
			}
		}
	}
	if anyUp {
		return -1, false
	}
	return lastResort, true
}

// halt ends a message early. Nothing counts as an attempt before a server was asked, nor when the
// run ends before one decided; else the open recipients are deferred with the reason, or put off by
// a rate.
func (r *Route) halt(ctx context.Context, servers []*server, a *attempt, err error) (spool.Delivery, error) {
	var used *rate.Exhausted
	a.open, a.needUTF8 = append(a.open, a.needUTF8...), nil
	switch {
	case errors.As(err, &used):
		if a.lastServer == nil {
			r.quotaExhausted.Store(true)
			// Every server before this one was found down, so the next message will meet the same, if
			// all mail goes to the same servers.
			all := !r.bySender
			return spool.Delivery{Wait: spool.Limited, QuotaExhausted: all, Until: used.Until, Outcomes: []spool.Outcome{used.Outcome()}}, nil
		}
		a.putOff(used, a.open)
	case a.lastServer == nil:
		return spool.Delivery{}, err
	case !a.decided && ctx.Err() != nil:
		return spool.Delivery{Wait: spool.Stopped}, nil
	default:
		why := spool.Reply{Text: "stopped before it was sent: " + err.Error(), At: r.now()}
		for _, i := range a.open {
			a.outcomes[i] = spool.Outcome{Class: spool.Deferred, Scope: spool.MessageScope, Reply: why}
		}
		a.open = nil
	}
	return a.delivery(len(servers)), nil
}

// noServer is the result when every server is paused: until when, and the trouble. Trouble that needs
// a person comes before other trouble, for it decides whether the message may be returned for its
// age; else it is the last server's.
func noServer(servers []*server) spool.Delivery {
	d := spool.Delivery{Wait: spool.NoServer}
	for _, s := range servers {
		h := s.breaker.current()
		if d.Until.IsZero() || h.DownUntil.Before(d.Until) {
			d.Until = h.DownUntil
		}
		if len(d.Outcomes) == 0 || !d.Outcomes[0].NeedsPerson() {
			d.Outcomes = []spool.Outcome{h.Last}
		}
	}
	return d
}

// Close says QUIT on every connection, in bounded time (less when ctx ends), and
// saves how the servers are. Deliver must not be called any more.
func (r *Route) Close(ctx context.Context) error {
	var errs []error
	for _, s := range r.servers {
		s.pool.close()
	}
	for _, s := range r.servers {
		s.pool.awaitDrained(ctx)
		errs = append(errs, s.saveEnd(ctx), s.rate.Close(ctx))
	}
	errs = append(errs, r.limits.Close(ctx, r.quotaExhausted.Load()))
	return errors.Join(errs...)
}

// Probe opens a connection to each server that earlier runs could not connect to, once its pause is
// over and if no message of this run came to it. So it is known whether a server works though
// nothing is due. Call it after the last Deliver, before Close.
func (r *Route) Probe(ctx context.Context) {
	for _, s := range r.servers {
		if ctx.Err() == nil {
			s.probe(ctx)
		}
	}
}
