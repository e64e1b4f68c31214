package route

import (
	"context"
	"errors"
	"time"

	"notices/spool"
	"notices/spool/smtpclient"
)

// probeTime is how long a probe may take: a run must not wait long for what may be dead.
const probeTime = 30 * time.Second

// Probe opens a connection to each server that earlier runs could open none to, once its
// pause is over and when no message of this run came to it. So it is known whether a
// server works though nothing is due. Call it after the last Deliver, before Close.
func (r *Route) Probe(ctx context.Context) {
	for _, s := range r.servers {
		if ctx.Err() == nil {
			s.probe(ctx)
		}
	}
}

// probe looks whether the server wants it: only a connection that could not be opened is made
// good by one that can. A login that was refused is not tried again until the secret is
// another one, for some servers lock the account after several.
func (s *server) probe(ctx context.Context) {
	if s.breakerState(ctx) != breakerClosed {
		return
	}
	h, ok := s.breaker.untried()
	if !ok || !h.Unopened || !h.Of(s.config.Host) || h.Secret != "" && !s.secret.changed(ctx, h.Secret) {
		return
	}
	short, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var c client
	err := s.secret.fetch(short)
	if err == nil {
		c, err = s.open(short, &s.config.Server)
	}
	switch {
	case err == nil:
		quit(c)
		if ctx.Err() == nil && s.breaker.reset(false) {
			s.saveRecovery(ctx)
		}
		return
	case ctx.Err() != nil: // the run was stopped: nothing is known
		return
	}
	o := s.config.localOutcome(s.now(), spool.ReasonConnect, err.Error())
	if e := (*smtpclient.Error)(nil); errors.As(err, &e) {
		o = e.Outcome
	}
	j := newJob(&spool.Message{})
	defer j.leaveGate()
	s.trip(ctx, j, o, true)
}
