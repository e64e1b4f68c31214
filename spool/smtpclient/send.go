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

// window bounds the commands whose replies are outstanding, in octets. That much fits into the
// socket buffers of both sides, so a write ends even while the server writes replies that
// nobody reads yet (RFC 2920 section 3.1 leaves that to the client).
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
	// errDecided: after a 421, or a reply in the middle of the message, the connection is over, and
	// the recipients have their outcomes.
	errDecided = errors.New("the conversation is over")
)

// sending is one transaction under way.
type sending struct {
	c        *Conn
	t        *Transaction
	body     *body
	utf8     bool
	outcomes []spool.Outcome // of each recipient; zero: not decided yet
	sender   string          // as it is written
	to       []string        // the recipients whose address may be written, as it is written
	indices  []int           // of these among all recipients

	next         int   // the command whose reply comes next
	writeErr     error // what the last write met
	reused       bool  // the connection carried a transaction before
	answered     bool  // the first command was
	mailAccepted bool
	accepted     int  // recipients
	goAhead      bool // 354
	dotSent      bool
	stale        bool

	// envelopeIDRefused: MAIL was refused for a parameter, perhaps for the ENVID that we added.
	envelopeIDRefused bool
}

// Send runs one transaction. Nothing is written behind the final dot before its reply was
// read. When ctx ends, what was not yet sent is not sent any more; the reply to a final dot is
// still waited for, half a minute at most.
func (c *Conn) Send(ctx context.Context, t *Transaction) Result {
	s := c.send(ctx, t)
	if s.envelopeIDRefused {
		// Some proxies offer the DSN of the server behind them and take no ENVID. Mail goes first.
		c.capabilities.noEnvelopeID = true
		s = c.send(ctx, t)
	}
	return s.result()
}

func (c *Conn) send(ctx context.Context, t *Transaction) *sending {
	s := &sending{c: c, t: t, outcomes: make([]spool.Outcome, len(t.Recipients))}
	if s.prepare() {
		stop := c.wire.begin(ctx)
		if err := s.converse(); err != nil {
			s.fail(err)
		}
		stop()
		s.body.free()
	}
	return s
}

// converse is the transaction from its first command to the reply to the final dot. An
// error means that the connection is over.
func (s *sending) converse() error {
	c := s.c
	if c.broken.Load() {
		return errEnded
	}
	s.reused, c.used = c.used, true
	s.next = commandMail
	if c.wire.br.Buffered() > 0 { // a 421 of a server that is going away, or nonsense
		code, text, err := c.wire.read(c.wire.timeout)
		if err == nil && code == 421 {
			s.decide(smtpreply.StageMail, code, text)
			return errDecided
		}
		return errSpokeFirst
	}
	if err := s.envelope(); err != nil {
		return err
	}
	if !s.goAhead {
		c.needsRset = s.mailAccepted || s.accepted > 0
		return nil
	}
	if err := s.content(); err != nil {
		return err
	}
	s.dotSent = true
	c.wire.deadlines.passDot()
	return s.finalReply()
}

// envelope sends MAIL, all RCPT and DATA in one group, or in lockstep to a server without
// PIPELINING, and reads the replies. RSET goes first where the last transaction ended
// before its DATA.
func (s *sending) envelope() error {
	c := s.c
	if c.needsRset {
		s.next, c.needsRset = commandReset, false
	}
	data := len(s.to)
	for n := s.next; n <= data && !s.allRefused(); {
		c.commands = c.commands[:0]
		for more := true; more; n++ {
			c.commands = s.appendCommand(c.commands, n)
			more = c.capabilities.pipelining && len(c.commands) < window && n < data
		}
		s.writeErr = c.wire.write(c.commands)
		for ; s.next < n; s.next++ {
			if err := s.readReply(); err != nil {
				return err
			}
		}
		if s.writeErr != nil {
			return s.writeErr
		}
	}
	return nil
}

// allRefused reports that MAIL or each RCPT was refused: DATA is not worth sending.
func (s *sending) allRefused() bool {
	return s.next > commandMail && !s.mailAccepted || s.next == len(s.to) && s.accepted == 0
}

func (s *sending) appendCommand(b []byte, n int) []byte {
	switch n {
	case commandReset:
		b = append(b, "RSET"...)
	case commandMail:
		b = s.appendMail(b)
	case len(s.to):
		b = append(b, "DATA"...)
	default:
		b = append(b, "RCPT TO:<"...)
		b = append(b, s.to[n]...)
		b = append(b, '>')
		if s.c.capabilities.dsn && s.t.DSN != nil {
			b = appendRcptDSN(b, s.t.DSN, s.indices[n], s.t.Recipients[s.indices[n]])
		}
	}
	return append(b, "\r\n"...)
}

func (s *sending) appendMail(b []byte) []byte {
	offered := &s.c.capabilities
	b = append(b, "MAIL FROM:<"...)
	b = append(b, s.sender...)
	b = append(b, '>')
	if offered.size && s.body.declared > 0 {
		b = append(b, " SIZE="...)
		b = strconv.AppendInt(b, s.body.declared, 10)
	}
	if s.t.EightBit && offered.eightBit {
		b = append(b, " BODY=8BITMIME"...)
	}
	if s.utf8 {
		b = append(b, " SMTPUTF8"...)
	}
	if offered.dsn {
		b = appendMailDSN(b, s.t, offered)
	}
	return b
}

// readReply reads the reply to the next command. After a write that failed the server may
// still have said why.
func (s *sending) readReply() error {
	wait := s.c.wire.timeout
	if s.writeErr != nil {
		wait = min(wait, pendingWait)
	}
	code, text, err := s.c.wire.read(wait)
	stage := s.stage()
	goAhead := stage == smtpreply.StageData && code == 354
	switch {
	case err != nil && s.writeErr != nil:
		return s.writeErr
	case err != nil:
		return err
	case code == 421:
		s.decide(stage, code, text)
		return errDecided
	case code/100 == 3 && !goAhead:
		return unexpectedReply(stage, code)
	}
	switch good := code/100 == 2; stage {
	case smtpreply.StageReset:
		if !good {
			return unexpectedReply(stage, code)
		}
	case smtpreply.StageMail:
		s.answered, s.mailAccepted = true, good
		if good {
			s.c.server.Addresses.tookMail(s.c)
		} else {
			s.envelopeIDRefused = s.t.addsEnvelopeID(&s.c.capabilities) && (code/10 == 50 || code == 555) // syntax, RFC 5321 4.2.4
			s.decide(stage, code, text)
		}
	case smtpreply.StageRcpt:
		i := s.indices[s.next]
		switch {
		case good:
			s.accepted++
		case undecided(s.outcomes[i]): // else MAIL was refused, and this follows from it
			s.outcomes[i] = s.c.judge.Outcome(stage, code, text)
			s.observe(stage, s.outcomes[i])
		}
	case smtpreply.StageData:
		switch s.goAhead = code == 354; {
		case good:
			return unexpectedReply(stage, code)
		case !s.goAhead && s.mailAccepted && s.accepted > 0:
			s.decide(stage, code, text)
		}
	}
	return nil
}

// stage is what the next reply, or the end of the connection, is an answer to.
func (s *sending) stage() smtpreply.Stage {
	switch {
	case s.dotSent:
		return smtpreply.StageDot
	case s.goAhead:
		return smtpreply.StageBody
	case s.next == commandReset:
		return smtpreply.StageReset
	case s.next == commandMail:
		return smtpreply.StageMail
	case s.next == len(s.to):
		return smtpreply.StageData
	}
	return smtpreply.StageRcpt
}

func unexpectedReply(stage smtpreply.Stage, code int) error {
	return smtpreply.ProtocolError{Text: fmt.Sprintf("%d in answer to %s", code, stage)}
}

// content writes the message and the final dot. If no recipient was accepted and the server still
// said 354, it writes only the dot (RFC 2920 section 3.1).
func (s *sending) content() error {
	if !s.mailAccepted || s.accepted == 0 {
		return s.c.wire.write([]byte(".\r\n"))
	}
	err := s.body.send(func(b []byte) error {
		s.writeErr = s.c.wire.write(b)
		return s.writeErr
	})
	switch {
	case err == nil:
		return nil
	case s.writeErr == nil: // the message could not be read; no dot may follow
		s.decideRest(s.c.judge.Local(spool.Deferred, spool.MessageScope, "", err.Error()))
		return errDecided
	}
	// The server may have said why before it hung up: 552, say.
	code, text, readErr := s.c.wire.read(min(pendingWait, s.c.wire.timeout))
	if readErr == nil && code >= 400 {
		s.decide(smtpreply.StageBody, code, text)
		return errDecided
	}
	return s.writeErr
}

// finalReply waits for the reply to the final dot.
func (s *sending) finalReply() error {
	code, text, err := s.c.wire.read(s.c.dataTimeout)
	switch {
	case err != nil:
		return err
	case code == 421:
		s.decide(smtpreply.StageDot, code, text)
		return errDecided
	case code/100 == 3:
		return unexpectedReply(smtpreply.StageDot, code)
	case !s.mailAccepted || s.accepted == 0:
		return nil
	}
	s.decide(smtpreply.StageDot, code, text)
	if !s.c.capabilities.dsn {
		markRelayed(s.outcomes, s.t.DSN)
	}
	return nil
}

// fail ends the connection and says what that means for this transaction.
func (s *sending) fail(err error) {
	s.c.Close()
	silent := errors.Is(err, os.ErrDeadlineExceeded)
	s.stale = err == errEnded || s.reused && !s.answered && err != errInterrupted && !silent
	if slices.ContainsFunc(s.outcomes, undecided) {
		o := s.lossOutcome(err)
		s.decideRest(o)
		s.observe(s.stage(), o)
	}
}

// lossOutcome is the outcome of a connection that ended or spoke no SMTP.
func (s *sending) lossOutcome(err error) spool.Outcome {
	local := s.c.judge.Local
	switch text := s.c.judge.Loss(err); {
	case s.dotSent:
		return local(spool.Uncertain, spool.MessageScope, spool.ReasonLost, "no answer to the final dot: "+text)
	case errors.As(err, new(smtpreply.ProtocolError)):
		return local(spool.Deferred, spool.ServerScope, spool.ReasonProtocol, text)
	case s.mailAccepted:
		return local(spool.Deferred, spool.MessageScope, spool.ReasonLost, "after MAIL was accepted: "+text)
	case err == errInterrupted:
		return local(spool.Deferred, spool.MessageScope, spool.ReasonLost, text)
	default:
		return local(spool.Deferred, spool.ServerScope, spool.ReasonConnect, "in answer to MAIL: "+text)
	}
}

// decide gives the outcome of a reply to every recipient that has no outcome yet.
func (s *sending) decide(stage smtpreply.Stage, code int, text []byte) {
	o := s.c.judge.Outcome(stage, code, text)
	s.decideRest(o)
	s.observe(stage, o)
}

func undecided(o spool.Outcome) bool { return o.Class == "" }

// decideRest gives o to every recipient that has no outcome yet. What is said of one recipient
// in answer to several is not said of each of them.
func (s *sending) decideRest(o spool.Outcome) {
	if o.Scope == spool.RecipientScope && s.accepted > 1 {
		o.Scope, o.Reason = spool.MessageScope, spool.ReasonOneOf
	}
	for i := range s.outcomes {
		if undecided(s.outcomes[i]) {
			s.outcomes[i] = o
		}
	}
}

func (s *sending) observe(stage smtpreply.Stage, o spool.Outcome) {
	switch {
	case s.c.judge.tell == nil:
	case o.Class == spool.Delivered:
		s.c.judge.observe(Step{Stage: stage, Detail: o.Reply.String()})
	default:
		s.c.judge.observe(Step{Stage: stage, Err: &Error{Outcome: o}})
	}
}
