package route

import (
	"context"
	"sync"
	"time"

	"notices/spool"
	"notices/spool/maillog"
	"notices/spool/smtpclient"
)

type opener func(context.Context, *smtpclient.Server) (client, error)

// server is a Server at work in one run.
type server struct {
	config  Server
	open    opener
	secret  *secret
	rate    *quota
	log     *maillog.Log
	now     func() time.Time
	gate    *gate // the route's
	pool    pool
	breaker breaker
	chunk   chunkSize

	load    sync.Once // health, before the first use
	health  healthStore
	notices notices
}

func newServer(s Server, o Options, open opener, g *gate) *server {
	w := &server{config: s, open: open, log: o.Log, now: o.Now, gate: g}
	w.health.state, w.health.server, w.health.log = o.State, s.Name, o.Log
	w.config.Addresses = new(smtpclient.Addresses)
	w.secret = watch(&w.config.Server)
	w.rate = newServerQuota(s, o.State, o.Now)
	w.chunk.most = max(0, s.RecipientsPerMessage)
	b := &w.breaker
	b.now, b.host, b.ignore = o.Now, s.Host, o.IgnoreBreaker
	w.pool.max, w.pool.perConn, w.pool.halfOpen = max(1, s.Connections), s.MessagesPerConnection, b.halfOpen.Load
	return w
}

// chunkSize is how many recipients go in one transaction.
type chunkSize struct {
	mu   sync.Mutex
	most int // 0: no limit
}

func (c *chunkSize) get() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

// learn remembers for this run how many recipients the server took before it said
// too many: to ask again for hundreds each time costs a reply for each of them.
func (c *chunkSize) learn(took int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if took = max(1, took); c.most == 0 || took < c.most {
		c.most = took
	}
}

// localOutcome is an outcome that is not the server's word.
func (s *Server) localOutcome(now time.Time, reason spool.Reason, text string) spool.Outcome {
	return spool.Outcome{
		Class: spool.Deferred, Scope: spool.ServerScope, Reason: reason,
		Reply: spool.Reply{Server: s.Name, Host: s.Host, Text: text, At: now},
	}
}

// breakerState loads the server's health when it is first asked for.
func (s *server) breakerState(ctx context.Context) breakerState {
	s.load.Do(func() { s.recall(ctx) })
	return s.breaker.state()
}

// trip takes the server out for the rest of the run, for what the message met. unopened: it
// was met before a message was handed over.
func (s *server) trip(ctx context.Context, j *job, o spool.Outcome, unopened bool) {
	j.enter(s.gate) // before anybody else can find out
	if !s.breaker.trip(o) {
		j.leaveGate()
		return
	}
	j.tripped = true
	s.pool.close()
	s.saveTrouble(ctx, o, unopened)
}

// refused takes note that no connection could be opened. It reports whether only
// one more was refused beside working ones: then there are fewer from now on, and
// the message waits for one of those. A refused secret is never that.
func (s *server) refused(ctx context.Context, j *job, l *lease, o spool.Outcome) (oneMore bool) {
	secret := o.Reason == spool.ReasonAuth || o.Reason == spool.ReasonSecret
	if !secret && s.pool.refused(l, o.Reply.Code == 421) {
		return true
	}
	s.trip(ctx, j, o, true)
	s.pool.giveBack(l)
	return false
}

// finish takes note of how a transaction went and releases its connection. It reports whether the
// message was refused only because too many connections are open: it goes over another.
func (s *server) finish(ctx context.Context, j *job, l *lease, v verdict) (crowded bool) {
	b := &s.breaker
	if v.delivered && j.m.Sender != "" {
		b.took()
	}
	var trouble *spool.Outcome
	recovered := false
	switch v.result {
	case resultGood:
		recovered = b.reset(v.delivered)
	case resultRefused:
		if b.refused(j.m) {
			o := refusedTrouble(*v.skip)
			trouble = &o
		}
	case resultTrouble:
		if v.skip.Reason == spool.ReasonBusy && s.pool.crowded(l) {
			return true
		}
		trouble = v.skip
	case resultLost:
		if b.lostOn(j.m.ID) {
			trouble = v.skip
		}
	case resultUncertain:
		if b.silentOn(j.m.ID) {
			o := s.config.localOutcome(s.now(), spool.ReasonLost, "no answer to several messages in a row")
			trouble = &o
		}
	}
	if trouble != nil {
		s.trip(ctx, j, *trouble, false)
	}
	s.pool.release(l, v.result <= resultRefused)
	if recovered {
		s.saveRecovery(ctx)
	}
	return false
}

// refusedTrouble makes the server's trouble of the refusal of one more message.
func refusedTrouble(o spool.Outcome) spool.Outcome {
	return spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonRefused, Reply: o.Reply}
}
