package route

import (
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
// transactions as that takes, until it decided on all or passed the rest on.
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
		pass, sent, err := s.transact(ctx, j)
		if !sent {
			s.rate.putBack(j.counted)
		}
		if errors.Is(err, errPutOff) {
			return nil
		}
		if err != nil {
			return err
		}
		if pass != nil {
			j.passes = append(j.passes, *pass)
			return nil
		}
	}
	return nil
}

// transact runs one transaction. pass is why the rest goes to the next server;
// sent, that the server heard of it.
func (s *server) transact(ctx context.Context, j *job) (pass *spool.Outcome, sent bool, err error) {
	p, err := s.take(ctx)
	for stale := 0; ; {
		if err == nil {
			j.found()
			err = s.board(ctx, j, p)
		}
		if errors.Is(err, errBusy) {
			p, err = s.take(ctx)
			continue
		}
		if err != nil {
			pass, err = s.unserved(j, err)
			return pass, sent, err
		}
		var done bool
		pass, done, err = s.send(ctx, j, p, stale < staleLimit)
		if sent = true; done {
			return pass, sent, err
		}
		if errors.Is(err, errBusy) {
			p, err = s.take(ctx)
			continue
		}
		stale++
		p, err = s.retake(ctx, p)
	}
}

// unserved sorts out why there is no connection: what this message met itself
// passes it on; what others met, only if the server had heard of it before.
func (s *server) unserved(j *job, err error) (*spool.Outcome, error) {
	var met *smtpclient.Error
	switch {
	case errors.As(err, &met):
		return &met.Outcome, nil
	case errors.Is(err, errDown) && j.asked == s:
		o, _ := s.trouble()
		return &o, nil
	}
	return nil, err
}

// board gets a place ready: the attempt is recorded, then the connection opened if
// there is none. Without a secret no attempt is made: nobody could be asked.
func (s *server) board(ctx context.Context, j *job, p *place) error {
	if p.m == nil && j.asked == nil {
		if err := s.secret.fetch(ctx); err != nil {
			return s.lacks(ctx, j, p, err)
		}
	}
	err := ctx.Err()
	if err == nil {
		err = j.begin(s)
	}
	if err != nil {
		s.giveBack(p)
		return err
	}
	if p.m == nil {
		if err := s.connect(ctx, j, p); err != nil {
			return err
		}
		if s.isDown() { // others found out meanwhile
			s.giveBack(p)
			return errDown
		}
	}
	if err = s.recount(ctx, j); err != nil {
		s.giveBack(p)
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

// lacks: the secret cannot be had here, or not now.
func (s *server) lacks(ctx context.Context, j *job, p *place, err error) error {
	if ctx.Err() != nil {
		s.giveBack(p)
		return ctx.Err()
	}
	reason := spool.ReasonSecret
	var e interface{ Temporary() bool }
	if errors.As(err, &e) && e.Temporary() {
		reason = spool.ReasonToken
	}
	if s.failed(ctx, j, p, s.own(reason, err.Error())) {
		return errBusy
	}
	return errDown
}

func (s *server) connect(ctx context.Context, j *job, p *place) error {
	l, err := s.open(ctx, &s.Server.Server)
	if err == nil {
		s.opened(p, l)
		if what := l.Notice(); what != "" {
			s.stepDown(ctx, what)
		}
		return nil
	}
	if ctx.Err() != nil {
		s.giveBack(p)
		return ctx.Err()
	}
	var e *smtpclient.Error
	if !errors.As(err, &e) {
		e = &smtpclient.Error{Outcome: s.own(spool.ReasonConnect, err.Error()), Err: err}
	}
	if s.failed(ctx, j, p, e.Outcome) {
		return errBusy
	}
	return e
}

// send has the transaction done and acts on the answers. done is false when the
// connection had ended before anything was attempted: another one is to be tried.
func (s *server) send(ctx context.Context, j *job, p *place, retry bool) (pass *spool.Outcome, done bool, err error) {
	chunk := j.chunk(s.chunkSize())
	res := p.m.line.Send(ctx, &smtpclient.Transaction{
		Sender: j.m.Sender, Recipients: j.addresses(chunk),
		Body: j.m.Body, Size: j.m.Size, EightBit: j.m.EightBit, UTF8: j.m.UTF8, DSN: j.wishes(chunk),
	})
	v := s.read(chunk, &res, retry)
	if ctx.Err() != nil && v.landing > landedRefused && v.pass != nil || v.landing == landedNowhere && ctx.Err() != nil {
		j.note(chunk, &res, v)
		s.giveBack(p) // our doing, not the server's
		return nil, true, ctx.Err()
	}
	if v.landing == landedNowhere {
		return nil, false, nil
	}
	j.note(chunk, &res, v)
	if s.landed(ctx, j, p, v) {
		return nil, false, errBusy
	}
	if res.TooMany > 0 && v.taken > 0 {
		s.learn(v.taken)
	}
	if v.pass != nil && doubtful(*v.pass) {
		j.doubter = s
	}
	if v.pass != nil {
		s.advise(ctx, j.m.Sender, *v.pass)
	}
	return v.pass, true, nil
}

// read judges the answers; with retry, such as only say that the connection had
// ended, or that this address of the server does not work, lead to another connection instead.
func (s *server) read(chunk []int, res *smtpclient.Result, retry bool) verdict {
	for len(res.Outcomes) < len(chunk) { // never: but nobody may go without an answer
		res.Outcomes = append(res.Outcomes, s.own(spool.ReasonProtocol, "no answer for this recipient"))
	}
	stale := res.Stale
	// A connection that carried enough is not met twice: each time there is one less.
	retry = retry || len(res.Outcomes) > 0 && res.Outcomes[0].Reason == spool.ReasonSession
	res.Stale = stale && retry
	v := judge(res)
	switch {
	case res.Stale, retry && res.Elsewhere:
		return verdict{landing: landedNowhere}
	case stale && v.pass == nil:
		o := s.own(spool.ReasonShutdown, "connection ended before the message was asked for")
		v.pass, v.landing = &o, landedBadly
	case stale:
		v.landing = landedBadly
	}
	return v
}
