package smtpclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"notices/spool"
)

// window bounds the commands whose answers are outstanding: so much fits into the
// socket buffers of both sides, so that a write ends although the server writes
// answers that nobody reads yet (RFC 2920 3.1 leaves that to the client).
const window = 24 << 10

// pendingWait is how long a reply is looked for that a server sent before it hung up.
const pendingWait = time.Second

// Numbers of commands, beside those of the recipients.
const (
	commandReset = -2
	commandMail  = -1
)

var (
	// errEnded: the connection ended before this transaction began.
	errEnded = errors.New("the connection had ended")
	// errParting: a 421 or a last word was heard, and its outcome is settled.
	errParting = errors.New("the server ended the conversation")
)

// envelope sends MAIL, all RCPT and DATA in one flight, or in lockstep to a server
// without PIPELINING, and hears the answers.
func (s *send) envelope(ctx context.Context) error {
	c := s.c
	s.next = commandMail
	if c.halfOpen {
		s.next, c.halfOpen = commandReset, false
	}
	s.heard = s.next
	data := len(s.rcpts)
	c.flight = c.flight[:0]
	for s.next <= data && !s.hopeless() {
		c.flight = s.appendCommand(c.flight, s.next)
		s.next++
		if c.offers.pipelining && len(c.flight) < window && s.next <= data {
			continue
		}
		if err := s.exchange(ctx); err != nil {
			return err
		}
		c.flight = c.flight[:0]
	}
	return nil
}

// hopeless reports that MAIL or each RCPT was refused and nothing is outstanding:
// DATA is not worth sending.
func (s *send) hopeless() bool {
	return s.heard == s.next && (s.heard > commandMail && !s.mailed || s.heard == len(s.rcpts) && s.accepted == 0)
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
		b = s.appendRcptWishes(b, s.rcpts[n])
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
	return s.appendMailWishes(b)
}

// exchange writes the flight and hears the answers to it. After a write that failed
// it still hears what the server may have said in parting.
func (s *send) exchange(ctx context.Context) error {
	s.writeErr = s.write(s.c.flight)
	if !s.watch.reads {
		if err := s.takeReading(ctx); err != nil {
			return err
		}
	}
	for ; s.heard < s.next; s.heard++ {
		code, text, err := s.read(s.patience())
		if err != nil && s.writeErr != nil {
			err = s.writeErr
		}
		if err == nil {
			err = s.hear(code, text)
		}
		if err != nil {
			return err
		}
	}
	return s.writeErr
}

func (s *send) patience() time.Duration {
	if s.writeErr != nil {
		return min(pendingWait, s.c.timeout)
	}
	return s.c.timeout
}

// hear takes in the answer to the next command.
func (s *send) hear(code int, text []byte) error {
	stage := s.stage()
	if code == 421 {
		return s.parting(stage, code, text)
	}
	if code/100 == 3 != (stage == StageData && code == 354) {
		return s.odd(stage, code)
	}
	switch stage {
	case StageReset:
		if code/100 != 2 {
			return s.odd(stage, code)
		}
	case StageMail:
		return s.hearMail(code, text)
	case StageRcpt:
		s.hearRcpt(code, text)
	case StageData:
		return s.hearData(code, text)
	}
	return nil
}

func (s *send) stage() Stage {
	switch s.heard {
	case commandReset:
		return StageReset
	case commandMail:
		return StageMail
	case len(s.rcpts):
		return StageData
	}
	return StageRcpt
}

func (s *send) odd(stage Stage, code int) error {
	return protocolError(fmt.Sprintf("%d in answer to %s", code, stage))
}

func (s *send) hearMail(code int, text []byte) error {
	if code/100 == 2 {
		s.answered, s.mailed = true, true
		s.c.server.Addresses.took(s.c)
		return nil
	}
	o := s.c.judge(StageMail, code, text)
	if s.overlapped && (o.Reason == spool.ReasonProtocol || code == 500 || code == 503) {
		// It did not stand MAIL behind another's dot; a fresh connection will tell.
		return s.odd(StageMail, code)
	}
	s.answered = true
	s.settle(o)
	s.report(StageMail, o)
	return nil
}

func (s *send) hearRcpt(code int, text []byte) {
	if code/100 == 2 {
		s.accepted++
		return
	}
	i := s.rcpts[s.heard]
	if s.outcomes[i].Class == "" { // else MAIL was refused, and this follows from it
		s.outcomes[i] = s.c.judge(StageRcpt, code, text)
		s.report(StageRcpt, s.outcomes[i])
	}
}

func (s *send) hearData(code int, text []byte) error {
	switch {
	case code == 354:
		s.goAhead = true
	case code/100 == 2:
		return s.odd(StageData, code)
	case s.mailed && s.accepted > 0:
		o := s.c.judge(StageData, code, text)
		s.settle(o)
		s.report(StageData, o)
	}
	return nil
}

// parting is a 421, or a last word before the end: whoever has no outcome gets this one.
func (s *send) parting(stage Stage, code int, text []byte) error {
	o := s.c.judge(stage, code, text)
	s.settle(o)
	s.report(stage, o)
	return errParting
}

func (s *send) report(stage Stage, o spool.Outcome) {
	if s.c.server.Observe == nil {
		return
	}
	if o.Class == spool.Delivered {
		s.c.observe(Step{Stage: stage, Detail: o.Reply.String()})
		return
	}
	s.c.observe(Step{Stage: stage, Err: &Error{Outcome: o}})
}

func (s *send) write(b []byte) error {
	s.watch.armWrite(s.c.timeout)
	_, err := s.c.nc.Write(b)
	return s.watch.explain(err)
}

func (s *send) read(wait time.Duration) (code int, text []byte, err error) {
	if !replyBuffered(s.c.br) {
		s.watch.armRead(wait)
	}
	code, s.c.text, err = readReply(s.c.br, s.c.text[:0])
	return code, s.c.text, s.watch.explain(err)
}
