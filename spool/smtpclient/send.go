package smtpclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"notices/spool"
	"notices/spool/smtpreply"
)

// window bounds the commands whose replies are outstanding: so much fits into the
// socket buffers of both sides, so that a write ends although the server writes
// replies that nobody reads yet (RFC 2920 section 3.1 leaves that to the client).
const window = 24 << 10

// pendingWait is how long a reply is looked for that a server sent before it hung up.
const pendingWait = time.Second

// Numbers of commands. RCPT counts from 0; DATA is the number of recipients.
const (
	commandReset = -2
	commandMail  = -1
)

var (
	// errEnded: the connection ended before this transaction began.
	errEnded = errors.New("the connection had ended")
	// errSettled: after a 421, or a reply in the middle of the message, the connection is over,
	// and that was the outcome.
	errSettled = errors.New("the conversation is over")
)

// send is one transaction under way.
type send struct {
	c        *Conn
	t        *Transaction
	watch    watch
	body     *body
	utf8     bool
	outcomes []spool.Outcome // zero: not decided yet
	rcpts    []int           // those recipients whose address may be written
	sender   string          // as it is written
	to       []string        // of rcpts, as they are written

	heard    int   // the command whose reply comes next
	writeErr error // what the last write met
	reused   bool  // the connection carried a transaction before
	answered bool  // the first command was
	mailed   bool  // MAIL was accepted
	accepted int   // recipients
	goAhead  bool  // 354
	dotSent  bool
	stale    bool
}

// Send runs one transaction. Nothing is written behind the final dot before its reply was
// read. When ctx ends, what was not yet sent is given up; the reply to a final dot is
// still waited for, half a minute at most.
func (c *Conn) Send(ctx context.Context, t *Transaction) Result {
	s := &send{c: c, t: t, outcomes: make([]spool.Outcome, len(t.Recipients))}
	if s.prepare() {
		s.watch.conn = c.wire.raw
		c.wire.watch = &s.watch
		stop := s.watch.start(ctx)
		if err := s.converse(); err != nil {
			s.fail(err)
		}
		stop()
		s.body.free()
	}
	return s.result()
}

// converse is the transaction from its first command to the reply to the final dot. An
// error means that the connection is over.
func (s *send) converse() error {
	c := s.c
	if c.broken.Load() {
		return errEnded
	}
	s.reused, c.used = c.used, true
	s.heard = commandMail
	if c.wire.br.Buffered() > 0 { // a 421 of a server that is going away, or nonsense
		code, text, err := c.wire.read(c.wire.timeout)
		if err == nil && code == 421 {
			s.decide(smtpreply.StageMail, code, text)
			return errSettled
		}
		return errSpokeFirst
	}
	if err := s.envelope(); err != nil {
		return err
	}
	if !s.goAhead {
		c.halfOpen = s.mailed || s.accepted > 0
		return nil
	}
	if err := s.content(); err != nil {
		return err
	}
	s.dotSent = true
	s.watch.passDot()
	return s.verdict()
}

// envelope sends MAIL, all RCPT and DATA in one flight, or in lockstep to a server without
// PIPELINING, and reads the replies. RSET goes first where the last transaction ended
// before its DATA.
func (s *send) envelope() error {
	c := s.c
	if c.halfOpen {
		s.heard, c.halfOpen = commandReset, false
	}
	data := len(s.rcpts)
	for next := s.heard; next <= data && !s.hopeless(); {
		c.flight = c.flight[:0]
		for more := true; more; next++ {
			c.flight = s.appendCommand(c.flight, next)
			more = c.offers.pipelining && len(c.flight) < window && next < data
		}
		s.writeErr = c.wire.write(c.flight)
		for ; s.heard < next; s.heard++ {
			if err := s.hear(); err != nil {
				return err
			}
		}
		if s.writeErr != nil {
			return s.writeErr
		}
	}
	return nil
}

// hopeless reports that MAIL or each RCPT was refused: DATA is not worth sending.
func (s *send) hopeless() bool {
	return s.heard > commandMail && !s.mailed || s.heard == len(s.rcpts) && s.accepted == 0
}

func (s *send) appendCommand(b []byte, n int) []byte {
	switch n {
	case commandReset:
		b = append(b, "RSET"...)
	case commandMail:
		b = s.appendMail(b)
	case len(s.rcpts):
		b = append(b, "DATA"...)
	default:
		b = append(b, "RCPT TO:<"...)
		b = append(b, s.to[n]...)
		b = append(b, '>')
		if s.c.offers.dsn && s.t.DSN != nil {
			b = appendRcptDSN(b, s.t.DSN, s.rcpts[n], s.t.Recipients[s.rcpts[n]])
		}
	}
	return append(b, "\r\n"...)
}

func (s *send) appendMail(b []byte) []byte {
	offers := &s.c.offers
	b = append(b, "MAIL FROM:<"...)
	b = append(b, s.sender...)
	b = append(b, '>')
	if offers.size && s.body.declared > 0 {
		b = append(b, " SIZE="...)
		b = strconv.AppendInt(b, s.body.declared, 10)
	}
	if s.t.EightBit && offers.eightBit {
		b = append(b, " BODY=8BITMIME"...)
	}
	if s.utf8 {
		b = append(b, " SMTPUTF8"...)
	}
	if offers.dsn && s.t.DSN != nil {
		b = appendMailDSN(b, s.t.DSN)
	}
	return b
}

// hear reads the reply to the next command. After a write that failed the server may
// still have said why.
func (s *send) hear() error {
	wait := s.c.wire.timeout
	if s.writeErr != nil {
		wait = min(wait, pendingWait)
	}
	code, text, err := s.c.wire.read(wait)
	stage := s.stage()
	switch {
	case err != nil && s.writeErr != nil:
		return s.writeErr
	case err != nil:
		return err
	case code == 421:
		s.decide(stage, code, text)
		return errSettled
	case code/100 == 3 != (stage == smtpreply.StageData && code == 354):
		return unexpectedReply(stage, code)
	}
	switch stage {
	case smtpreply.StageReset:
		if code/100 != 2 {
			return unexpectedReply(stage, code)
		}
	case smtpreply.StageMail:
		s.answered, s.mailed = true, code/100 == 2
		if !s.mailed {
			s.decide(stage, code, text)
			break
		}
		s.c.server.Addresses.took(s.c)
	case smtpreply.StageRcpt:
		s.hearRcpt(code, text)
	case smtpreply.StageData:
		return s.hearData(code, text)
	}
	return nil
}

// stage is what the next reply, or the end of the connection, is an answer to.
func (s *send) stage() smtpreply.Stage {
	switch {
	case s.dotSent:
		return smtpreply.StageDot
	case s.goAhead:
		return smtpreply.StageBody
	case s.heard == commandReset:
		return smtpreply.StageReset
	case s.heard == commandMail:
		return smtpreply.StageMail
	case s.heard == len(s.rcpts):
		return smtpreply.StageData
	}
	return smtpreply.StageRcpt
}

func unexpectedReply(stage smtpreply.Stage, code int) error {
	return smtpreply.ProtocolError{Text: fmt.Sprintf("%d in answer to %s", code, stage)}
}

func (s *send) hearRcpt(code int, text []byte) {
	if code/100 == 2 {
		s.accepted++
		return
	}
	i := s.rcpts[s.heard]
	if s.outcomes[i].Class == "" { // else MAIL was refused, and this follows from it
		s.outcomes[i] = s.c.judge.Outcome(smtpreply.StageRcpt, code, text)
		s.report(smtpreply.StageRcpt, s.outcomes[i])
	}
}

func (s *send) hearData(code int, text []byte) error {
	switch {
	case code == 354:
		s.goAhead = true
	case code/100 == 2:
		return unexpectedReply(smtpreply.StageData, code)
	case s.mailed && s.accepted > 0:
		s.decide(smtpreply.StageData, code, text)
	}
	return nil
}

// content writes the message and the final dot. When no recipient was accepted and the
// server wants it all the same, the dot alone (RFC 2920 section 3.1).
func (s *send) content() error {
	write := func(b []byte) error {
		s.writeErr = s.c.wire.write(b)
		return s.writeErr
	}
	var err error
	switch {
	case !s.mailed || s.accepted == 0:
		return s.c.wire.write([]byte(".\r\n"))
	case s.body.whole != nil:
		err = write(s.body.whole)
	default:
		err = s.body.stream(write)
	}
	switch {
	case err == nil:
		return nil
	case s.writeErr == nil: // the disk's trouble, not the server's; no dot may follow
		s.settle(s.c.judge.Local(spool.Deferred, spool.MessageScope, "", err.Error()))
		return errSettled
	}
	// The server may have said why before it hung up: 552, say.
	code, text, readErr := s.c.wire.read(min(pendingWait, s.c.wire.timeout))
	if readErr == nil && code >= 400 {
		s.decide(smtpreply.StageBody, code, text)
		return errSettled
	}
	return s.writeErr
}

// verdict waits for the reply to the final dot.
func (s *send) verdict() error {
	code, text, err := s.c.wire.read(s.c.dataTimeout)
	switch {
	case err != nil:
		return err
	case code == 421:
		s.decide(smtpreply.StageDot, code, text)
		return errSettled
	case code/100 == 3:
		return unexpectedReply(smtpreply.StageDot, code)
	case !s.mailed || s.accepted == 0:
		return nil
	}
	s.decide(smtpreply.StageDot, code, text)
	if !s.c.offers.dsn {
		markRelayed(s.outcomes, s.t.DSN)
	}
	return nil
}

// fail ends the connection and says what that means for this transaction.
func (s *send) fail(err error) {
	s.c.Close()
	silent := errors.Is(err, os.ErrDeadlineExceeded)
	s.stale = err == errEnded || s.reused && !s.answered && err != errInterrupted && !silent
	if slices.ContainsFunc(s.outcomes, undecided) {
		o := s.loss(err)
		s.settle(o)
		s.report(s.stage(), o)
	}
}

// loss is the outcome of a connection that ended or spoke no SMTP.
func (s *send) loss(err error) spool.Outcome {
	outcome := s.c.judge.Local
	switch text := s.c.judge.Loss(err); {
	case s.dotSent:
		return outcome(spool.Uncertain, spool.MessageScope, spool.ReasonLost, "no answer to the final dot: "+text)
	case errors.As(err, new(smtpreply.ProtocolError)):
		return outcome(spool.Deferred, spool.ServerScope, spool.ReasonProtocol, text)
	case s.mailed:
		return outcome(spool.Deferred, spool.MessageScope, spool.ReasonLost, "after MAIL was accepted: "+text)
	case err == errInterrupted:
		return outcome(spool.Deferred, spool.MessageScope, spool.ReasonLost, text)
	default:
		return outcome(spool.Deferred, spool.ServerScope, spool.ReasonConnect, "in answer to MAIL: "+text)
	}
}

// decide is for a reply that decides on all who have no outcome yet.
func (s *send) decide(stage smtpreply.Stage, code int, text []byte) {
	o := s.c.judge.Outcome(stage, code, text)
	s.settle(o)
	s.report(stage, o)
}

func undecided(o spool.Outcome) bool { return o.Class == "" }

// settle gives o to every recipient that has no outcome yet. A word on a recipient that is
// the answer to several is none on each of them.
func (s *send) settle(o spool.Outcome) {
	if o.Scope == spool.RecipientScope && s.accepted > 1 {
		o.Scope, o.Reason = spool.MessageScope, spool.ReasonOneOf
	}
	for i := range s.outcomes {
		if s.outcomes[i].Class == "" {
			s.outcomes[i] = o
		}
	}
}

func (s *send) report(stage smtpreply.Stage, o spool.Outcome) {
	switch {
	case s.c.judge.tell == nil:
	case o.Class == spool.Delivered:
		s.c.judge.observe(Step{Stage: stage, Detail: o.Reply.String()})
	default:
		s.c.judge.observe(Step{Stage: stage, Err: &Error{Outcome: o}})
	}
}
