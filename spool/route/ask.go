package route

import (
	"cmp"
	"context"
	"errors"

	"notices/spool"
	"notices/spool/smtpclient"
)

// errBusy: one more connection was refused beside working ones.
var errBusy = errors.New("wait for a working connection")

// errPutOff: while a connection was waited for, limits put off all who are left.
var errPutOff = errors.New("put off by a limit")

// staleLimit bounds how many ended connections a message meets one after another
// before that counts as the server's trouble.
const staleLimit = 4

// ask offers the open recipients of a message to this server, in as many
// transactions as that takes, until it decided on all or the rest goes to the next one.
func (s *server) ask(ctx context.Context, j *job) error {
	for len(j.open) > 0 {
		if err := j.admit(ctx); err != nil || len(j.open) == 0 {
			return err
		}
		at, err := s.rate.take(ctx)
		if err != nil {
			return err
		}
		j.counted = at
		skip, sent, err := s.transact(ctx, j)
		if !sent {
			s.rate.putBack(j.counted)
		}
		if errors.Is(err, errPutOff) {
			return nil
		}
		if err != nil {
			return err
		}
		if skip != nil {
			j.skipped = append(j.skipped, *skip)
			return nil
		}
	}
	return nil
}

// transact runs one transaction. skip is why the rest goes to the next server;
// sent, that the server heard of it.
func (s *server) transact(ctx context.Context, j *job) (skip *spool.Outcome, sent bool, err error) {
	l, err := s.pool.acquire(ctx)
	for stale := 0; ; {
		if err == nil {
			j.leaveGate()
			err = s.ready(ctx, j, l)
		}
		if errors.Is(err, errBusy) {
			l, err = s.pool.acquire(ctx)
			continue
		}
		if err != nil {
			skip, err = s.noConnection(j, err)
			return skip, sent, err
		}
		var done bool
		skip, done, err = s.send(ctx, j, l, stale < staleLimit)
		if sent = true; done {
			return skip, sent, err
		}
		if errors.Is(err, errBusy) {
			l, err = s.pool.acquire(ctx)
			continue
		}
		stale++
		l, err = s.pool.exchange(ctx, l)
	}
}

// noConnection sorts out why there is no connection: what this message met itself
// sends it to the next server; what others met, only if this one had heard of it before.
func (s *server) noConnection(j *job, err error) (*spool.Outcome, error) {
	var met *smtpclient.Error
	switch {
	case errors.As(err, &met):
		return &met.Outcome, nil
	case errors.Is(err, errDown) && j.asked == s:
		o := s.breaker.remembered().Last
		return &o, nil
	}
	return nil, err
}

// ready makes a lease ready for the transaction: the attempt is recorded, then the connection
// opened if it has none. Without a secret no attempt is made: nobody could be asked.
func (s *server) ready(ctx context.Context, j *job, l *lease) error {
	if l.conn == nil && j.asked == nil {
		if err := s.secret.fetch(ctx); err != nil {
			return s.secretMissing(ctx, j, l, err)
		}
	}
	err := ctx.Err()
	if err == nil {
		err = j.begin(s)
	}
	if err != nil {
		s.pool.giveBack(l)
		return err
	}
	if l.conn == nil {
		if err := s.connect(ctx, j, l); err != nil {
			return err
		}
		if s.breaker.state() == breakerOpen { // others found out meanwhile
			s.pool.giveBack(l)
			return errDown
		}
	}
	if err = s.recount(ctx, j); err != nil {
		s.pool.giveBack(l)
	}
	return err
}

// recount renews what was counted before the connection was waited for.
func (s *server) recount(ctx context.Context, j *job) error {
	at, err := s.rate.renew(ctx, j.counted)
	j.counted = at
	if err == nil {
		err = j.renewTickets(ctx)
	}
	if err == nil && len(j.open) == 0 {
		return errPutOff
	}
	return err
}

// secretMissing takes note that the secret could not be read, now or at all.
func (s *server) secretMissing(ctx context.Context, j *job, l *lease, err error) error {
	var e *smtpclient.Error
	if ctx.Err() != nil || !errors.As(err, &e) {
		s.pool.giveBack(l)
		return cmp.Or(ctx.Err(), err)
	}
	if s.refused(ctx, j, l, e.Outcome) {
		return errBusy
	}
	return errDown
}

func (s *server) connect(ctx context.Context, j *job, l *lease) error {
	c, err := s.open(ctx, &s.config.Server)
	if err == nil {
		s.pool.opened(l, c)
		if what := c.Notice(); what != "" {
			s.stepDown(ctx, what)
		}
		return nil
	}
	if ctx.Err() != nil {
		s.pool.giveBack(l)
		return ctx.Err()
	}
	var e *smtpclient.Error
	if !errors.As(err, &e) {
		e = &smtpclient.Error{Outcome: s.config.localOutcome(s.now(), spool.ReasonConnect, err.Error()), Err: err}
	}
	if s.refused(ctx, j, l, e.Outcome) {
		return errBusy
	}
	return e
}

// send has the transaction done and acts on the answers. done is false when the
// connection had ended before anything was attempted: another one is to be tried.
func (s *server) send(ctx context.Context, j *job, l *lease, retry bool) (skip *spool.Outcome, done bool, err error) {
	chunk := j.chunk(s.chunk.get())
	res := l.conn.client.Send(ctx, &smtpclient.Transaction{
		Sender: j.m.Sender, Recipients: j.addresses(chunk),
		Body: j.m.Body, Size: j.m.Size, EightBit: j.m.EightBit, UTF8: j.m.UTF8, DSN: j.dsn(chunk),
	})
	v := s.read(chunk, &res, retry)
	stopped := ctx.Err() != nil
	if stopped && (v.result > resultRefused && v.skip != nil || v.result == resultStale) {
		j.note(chunk, &res, v)
		s.pool.giveBack(l) // our doing, not the server's
		return nil, true, ctx.Err()
	}
	if v.result == resultStale {
		return nil, false, nil
	}
	j.note(chunk, &res, v)
	if s.finish(ctx, j, l, v) {
		return nil, false, errBusy
	}
	if res.TooMany > 0 && v.taken > 0 {
		s.chunk.learn(v.taken)
	}
	if v.skip != nil {
		if doubtful(*v.skip) {
			j.doubter = s
		}
		if kind, text := advice(*v.skip, s.config.Hello, j.m.Sender); text != "" {
			news := s.notice(ctx, kind, text)
			if news && v.skip.Reason == spool.ReasonSendAs { // the server is not paused, which would be told
				s.log.Trouble("server "+s.config.Name, errors.New(text))
			}
		}
	}
	return v.skip, true, nil
}

// read judges the answers; with retry, such as only say that the connection had ended, or
// that this address of the server does not work, lead to another connection instead.
func (s *server) read(chunk []int, res *smtpclient.Result, retry bool) verdict {
	for len(res.Outcomes) < len(chunk) { // never: but nobody may go without an answer
		res.Outcomes = append(res.Outcomes, s.config.localOutcome(s.now(), spool.ReasonProtocol, "no answer for this recipient"))
	}
	stale := res.Stale
	// A connection that carried enough is not met twice: each time there is one less.
	retry = retry || len(res.Outcomes) > 0 && res.Outcomes[0].Reason == spool.ReasonSession
	res.Stale = stale && retry
	v := judge(res)
	switch {
	case res.Stale, retry && res.OtherAddress:
		return verdict{result: resultStale}
	case stale && v.skip == nil:
		o := s.config.localOutcome(s.now(), spool.ReasonShutdown, "connection ended before the message was asked for")
		v.skip, v.result = &o, resultTrouble
	case stale:
		v.result = resultTrouble
	}
	return v
}
