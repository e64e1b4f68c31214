package route

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"notices/spool"
	"notices/spool/maillog"
	"notices/spool/rate"
	"notices/spool/smtpclient"
)

var (
	// errBusy: the server refused one more connection beside working ones.
	errBusy = errors.New("wait for a working connection")
	// errStale: the connection had ended before the server was asked.
	errStale = errors.New("the connection had ended")
	// errPutOff: while a connection was waited for, limits put off all who are left.
	errPutOff = errors.New("put off by a limit")
)

// maxStale bounds how many ended connections a message meets one after another
// before the server counts as down.
const maxStale = 4

type opener func(context.Context, *smtpclient.Server) (client, error)

// server is the state of a Server during one run.
type server struct {
	config  Server
	open    opener
	secret  *secret
	rate    *rate.Quota
	log     *maillog.Log
	now     func() time.Time
	gate    *gate // the route's
	pool    pool
	breaker breaker
	// chunk is how many recipients go in one transaction; 0: all.
	chunk atomic.Int64

	load   sync.Once // health, before the first use
	health health
}

func newServer(s Server, o Options, open opener, g *gate) *server {
	w := &server{config: s, open: open, log: o.Log, now: o.Now, gate: g}
	w.health.state, w.health.server, w.health.log, w.health.now = o.State, s.Name, o.Log, o.Now
	w.health.keep = o.KeepOutages
	w.config.Addresses = new(smtpclient.Addresses)
	w.secret = wrapSecret(&w.config.Server)
	w.rate = rate.NewQuota(rate.Server{Name: s.Name, PerMinute: s.RatePerMinute, PerDay: s.RatePerDay}, o.State, o.Now)
	w.chunk.Store(int64(max(0, s.RecipientsPerMessage)))
	b := &w.breaker
	b.now, b.host, b.ignore = o.Now, s.Host, o.IgnoreBreaker
	w.pool.max, w.pool.perConn, w.pool.halfOpen = max(1, s.Connections), s.MessagesPerConnection, b.halfOpen.Load
	return w
}

// breakerState loads the server's health when it is first asked for.
func (s *server) breakerState(ctx context.Context) breakerState {
	s.load.Do(func() { s.loadHealth(ctx) })
	return s.breaker.state()
}

// deliver offers the open recipients of a message to this server, in as many
// transactions as that takes, until it decided on all or the rest goes to the next one.
func (s *server) deliver(ctx context.Context, a *attempt) error {
	for len(a.open) > 0 {
		if err := a.reserve(ctx, false); err != nil || len(a.open) == 0 {
			return err
		}
		at, err := s.rate.Take(ctx)
		if err != nil {
			return err
		}
		a.countedAt = at
		skip, sent, err := s.transact(ctx, a)
		if !sent {
			s.rate.PutBack(a.countedAt)
		}
		switch {
		case err == errPutOff:
			return nil
		case err != nil:
			return err
		case skip != nil:
			a.skipped = append(a.skipped, *skip)
			return nil
		}
	}
	return nil
}

// transact runs one transaction. skip is why the rest goes to the next server; sent reports whether
// the server heard of the message.
func (s *server) transact(ctx context.Context, a *attempt) (skip *spool.Outcome, sent bool, err error) {
	l, err := s.pool.acquire(ctx)
	for stale := 0; ; {
		if err == nil {
			a.leaveGate()
			err = s.prepare(ctx, a, l)
		}
		if err == nil {
			sent = true
			if skip, err = s.send(ctx, a, l, stale < maxStale); err == nil {
				return skip, sent, nil
			}
		}
		switch err {
		case errBusy:
			l, err = s.pool.acquire(ctx)
		case errStale:
			stale++
			l, err = s.pool.exchange(ctx, l)
		default:
			skip, err = s.noConnection(a, err)
			return skip, sent, err
		}
	}
}

// noConnection decides what follows when there is no connection. Trouble that this message met sends
// it to the next server; trouble that others met does so only if the server had heard of this message
// before.
func (s *server) noConnection(a *attempt, err error) (*spool.Outcome, error) {
	var met *smtpclient.Error
	switch {
	case errors.As(err, &met):
		return &met.Outcome, nil
	case errors.Is(err, errDown) && a.lastServer == s:
		o := s.breaker.current().Last
		return &o, nil
	}
	return nil, err
}

// prepare makes a lease ready for the transaction: it records the attempt, then opens a connection if
// the lease has none. Without a secret no attempt is made, for the server could not be asked.
func (s *server) prepare(ctx context.Context, a *attempt, l *lease) (err error) {
	if l.conn == nil && a.lastServer == nil {
		if err := s.secret.fetch(ctx); err != nil {
			err = s.openFailed(ctx, a, l, err)
			if errors.As(err, new(*smtpclient.Error)) {
				return errDown
			}
			return err
		}
	}
	err = ctx.Err()
	if err == nil && a.lastServer == nil && a.m.Begin != nil {
		err = a.m.Begin()
	}
	if err == nil {
		a.lastServer = s
	}
	if err == nil && l.conn == nil {
		c, err := s.open(ctx, &s.config.Server)
		if err != nil {
			return s.openFailed(ctx, a, l, err)
		}
		s.pool.opened(l, c)
		if what := c.Notice(); what != "" {
			s.health.noteStepDown(ctx, what)
		}
		if s.breaker.state() == breakerOpen { // others found out meanwhile
			s.pool.giveBack(l)
			return errDown
		}
	}
	if err == nil {
		err = s.renewReservations(ctx, a)
	}
	if err != nil {
		s.pool.giveBack(l)
	}
	return err
}

// renewReservations renews what was counted before the connection was waited for.
func (s *server) renewReservations(ctx context.Context, a *attempt) (err error) {
	if a.countedAt, err = s.rate.Renew(ctx, a.countedAt); err == nil {
		err = a.reserve(ctx, true)
	}
	if err == nil && len(a.open) == 0 {
		return errPutOff
	}
	return err
}

// openFailed notes that no connection could be opened, and ends the lease. If the server only refused
// one more beside working ones, there are fewer from now on, and the message waits for a working
// one: errBusy. A refused or missing secret always means that the server is down.
func (s *server) openFailed(ctx context.Context, a *attempt, l *lease, err error) error {
	if ctx.Err() != nil {
		s.pool.giveBack(l)
		return ctx.Err()
	}
	e := &smtpclient.Error{Outcome: s.openOutcome(err), Err: err}
	secret := e.Outcome.Reason == spool.ReasonAuth || e.Outcome.Reason == spool.ReasonSecret
	if !secret && s.pool.refused(l, e.Outcome.Reply.Code == 421) {
		return errBusy
	}
	s.trip(ctx, a, e.Outcome, true)
	s.pool.giveBack(l)
	return e
}

func (s *server) openOutcome(err error) spool.Outcome {
	var e *smtpclient.Error
	if errors.As(err, &e) {
		return e.Outcome
	}
	return s.localOutcome(spool.ReasonConnect, err.Error())
}

// localOutcome is an outcome that is not the server's word.
func (s *server) localOutcome(reason spool.Reason, text string) spool.Outcome {
	return spool.Outcome{
		Class: spool.Deferred, Scope: spool.ServerScope, Reason: reason,
		Reply: spool.Reply{Server: s.config.Name, Host: s.config.Host, Text: text, At: s.now()},
	}
}

// send runs the transaction and acts on the answers. After errStale or errBusy it has to be run
// over another connection.
func (s *server) send(ctx context.Context, a *attempt, l *lease, retry bool) (skip *spool.Outcome, err error) {
	chunk := a.chunk(int(s.chunk.Load()))
	res := l.conn.client.Send(ctx, a.transaction(chunk))
	for len(res.Outcomes) < len(chunk) { // never; but no recipient may go without an answer
		res.Outcomes = append(res.Outcomes, s.localOutcome(spool.ReasonProtocol, "no answer for this recipient"))
	}
	v := s.judge(&res, retry)
	if ctx.Err() != nil && (v.result > resultRefused && v.skip != nil || v.result == resultStale) {
		a.note(chunk, &res, v)
		s.pool.giveBack(l) // our doing, not the server's
		return nil, ctx.Err()
	}
	if v.result == resultStale {
		return nil, errStale
	}
	a.note(chunk, &res, v)
	if s.finish(ctx, a, l, v) {
		return nil, errBusy
	}
	if res.TooMany > 0 && v.decided > 0 {
		s.learnChunk(v.decided)
	}
	if v.skip == nil {
		return nil, nil
	}
	if ambiguousRefusal(*v.skip) {
		a.ambiguousFrom = s
	}
	if kind, text := advice(*v.skip, s.config.Hello, a.m.Sender); text != "" {
		news := s.health.notice(ctx, kind, text)
		if news && v.skip.Reason == spool.ReasonSendAs { // else the server is paused, and the log says so
			s.log.Trouble("server "+s.config.Name, errors.New(text))
		}
	}
	return v.skip, nil
}

// learnChunk remembers for this run how many recipients the server took before it said "too many":
// offering hundreds again each time costs a reply for each of them.
func (s *server) learnChunk(took int) {
	for {
		most := s.chunk.Load()
		if most > 0 && int64(took) >= most || s.chunk.CompareAndSwap(most, int64(took)) {
			return
		}
	}
}

// finish notes how a transaction went and releases its connection. It reports whether the message was
// refused only because too many connections are open: then it goes over another one.
func (s *server) finish(ctx context.Context, a *attempt, l *lease, v verdict) (tooMany bool) {
	b := &s.breaker
	if v.delivered && a.m.Sender != "" {
		b.noteDelivered()
	}
	var trouble *spool.Outcome
	recovered := false
	switch v.result {
	case resultGood:
		recovered = b.reset(v.delivered)
	case resultRefused:
		if b.noteRefusal(a.m) {
			trouble = &spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonRefused, Reply: v.skip.Reply}
		}
	case resultTrouble:
		if v.skip.Reason == spool.ReasonBusy && s.pool.tooManyOpen(l) {
			return true
		}
		trouble = v.skip
	case resultLost:
		if b.noteLost(a.m.ID) {
			trouble = v.skip
		}
	case resultUncertain:
		if b.noteUncertain(a.m.ID) {
			o := s.localOutcome(spool.ReasonLost, "no answer to several messages in a row")
			trouble = &o
		}
	}
	if trouble != nil {
		s.trip(ctx, a, *trouble, false)
	}
	s.pool.release(l, v.result <= resultRefused)
	if recovered {
		s.health.saveRecovery(ctx)
	}
	return false
}

// trip takes the server out for the rest of the run, because of what the message met. unopened: that
// was before a message was handed over.
func (s *server) trip(ctx context.Context, a *attempt, o spool.Outcome, unopened bool) {
	if a.gate == nil { // before any other message can find out
		a.gate = s.gate
		a.gate.enter()
	}
	if !s.breaker.trip(o) {
		a.leaveGate()
		return
	}
	a.tripped = true
	s.pool.close()
	s.saveTrouble(ctx, o, unopened)
}

// probeTime is how long a probe may take: a run must not wait long for what may be dead.
const probeTime = 30 * time.Second

// probe opens a connection to see whether the server works again. That shows something only if
// earlier runs could not open one. A login that was refused is not tried again until the secret has
// changed, for some servers lock the account after several attempts.
func (s *server) probe(ctx context.Context) {
	if s.breakerState(ctx) != breakerClosed {
		return
	}
	h, ok := s.breaker.unconfirmed()
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
	if err == nil {
		quit(c)
	}
	switch {
	case ctx.Err() != nil: // the run was stopped, which shows nothing
	case err != nil:
		a := newAttempt(&spool.Message{})
		defer a.leaveGate()
		s.trip(ctx, a, s.openOutcome(err), true)
	case s.breaker.reset(false):
		s.health.saveRecovery(ctx)
	}
}
