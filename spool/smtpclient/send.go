package smtpclient

import (
	"context"
	"io"
	"strconv"

	"notices/spool"
	"notices/spool/recode"
)

// Transaction is one message to some recipients.
type Transaction struct {
	Sender     string // without < >; empty: the null sender
	Recipients []string
	Body       io.ReaderAt // canonical: CRLF only, ends in CRLF
	Size       int64       // octets of Body
	EightBit   bool        // Body has octets over 127
	UTF8       bool        // the header has them: SMTPUTF8 where it is offered; only addresses need it
	// Asked is what the sender asked to be told of these recipients; nil: nothing. A server
	// that offers DSN is told so (RFC 3461 section 5.2.1); where one does not, what was
	// delivered and was to be reported has ReasonRelayed (section 5.2.2).
	DSN *spool.DSNParams
}

// Result is what became of a Transaction.
type Result struct {
	// Outcomes has one for each recipient, in order. A connection that ended after MAIL was
	// accepted and before the final dot is Deferred, of message scope, ReasonLost; one
	// that ended before that is the server's, ReasonConnect; what is no SMTP before the
	// dot is the server's, ReasonProtocol. Once the dot is sent all of these are Uncertain.
	Outcomes []spool.Outcome
	// Stale: 421, EOF or reset in answer to the first command on a connection that had served
	// before, or the connection had ended already, or the server said that it carried enough
	// messages. Nothing was attempted; the outcomes say why. Another connection should be
	// tried, and this is no failed attempt.
	Stale bool
	// TooMany counts the recipients refused by 452 4.5.3 beside others that were accepted:
	// their Reason is toomany and they belong in another transaction at once. When none
	// was accepted it is 0 and they are ordinary deferrals, so that nobody loops.
	TooMany int
	// Elsewhere: it failed before MAIL was accepted, and the host has an address that has
	// not failed yet: a fresh connection goes there.
	Elsewhere bool
	// OutOfStep: two transactions overlapped on the wire and the answers did not fit. The
	// caller should not overlap with this server again in this run.
	OutOfStep bool
}

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

	// Commands are numbered: RSET -2, MAIL -1, RCPT from 0, DATA len(rcpts).
	next, heard int
	writeErr    error // what the last write met

	reused, overlapped bool
	answered           bool // the first command was
	mailed             bool // MAIL was accepted
	accepted           int  // recipients
	goAhead            bool // 354
	dotSent            bool
	stale, outOfStep   bool
}

// Send runs one transaction. Two goroutines may call it at once: when the server
// offers PIPELINING the second's MAIL, RCPT and DATA go out right behind the first's
// final dot (RFC 2920 3.1 lets message content be the first of a group); otherwise the
// second waits its turn. When ctx ends, what was not yet sent is given up; the answer
// to a final dot is still waited for, half a minute at most.
func (c *Conn) Send(ctx context.Context, t *Transaction) Result {
	s := &send{c: c, t: t, outcomes: make([]spool.Outcome, len(t.Recipients))}
	s.watch.conn = c.raw
	if s.prepare() {
		s.run(ctx)
		s.body.free()
	}
	return s.result()
}

// prepare settles what needs no server. False: nothing is left to be sent.
func (s *send) prepare() bool {
	c, t := s.c, s.t
	if !s.checkAddresses() {
		return false
	}
	if s.utf8 && !c.offers.utf8 {
		s.settle(c.own(spool.Failed, spool.MessageScope, spool.ReasonCannot, "the server does not offer SMTPUTF8, which an address of the message needs"))
		return false
	}
	var err error
	s.body, err = newBody(t, t.EightBit && !c.offers.eightBit && !s.utf8)
	switch {
	case unchangeable(err):
		s.settle(c.own(spool.Failed, spool.MessageScope, spool.ReasonCannot, "the server does not offer 8BITMIME, which the message needs: "+err.Error()))
		return false
	case err != nil:
		s.settle(c.own(spool.Deferred, spool.MessageScope, "", err.Error()))
		return false
	case c.offers.maxSize > 0 && s.body.declared > c.offers.maxSize:
		s.settle(c.own(spool.Failed, spool.MessageScope, spool.ReasonCannot, "the message has "+strconv.FormatInt(s.body.declared, 10)+
			" octets, the server takes "+strconv.FormatInt(c.offers.maxSize, 10)))
		s.body.free()
		return false
	}
	return true
}

// checkAddresses refuses once more what could leave the < > of a command, and makes
// domains of other scripts what every server takes.
func (s *send) checkAddresses() bool {
	s.utf8 = s.t.UTF8 && s.c.offers.utf8 || recode.NeedsUTF8(s.t.Sender)
	var err error
	if s.sender, err = writable(s.t.Sender); err != nil && s.t.Sender != "" {
		s.settle(s.c.own(spool.Failed, spool.MessageScope, "", "sender "+err.Error()))
		return false
	}
	s.rcpts, s.to = make([]int, 0, len(s.t.Recipients)), make([]string, 0, len(s.t.Recipients))
	for i, address := range s.t.Recipients {
		plain, err := writable(address)
		if err != nil {
			s.outcomes[i] = s.c.own(spool.Failed, spool.RecipientScope, "", err.Error())
			s.outcomes[i].Reply.Enhanced = "5.1.3" // bad destination mailbox address syntax
			continue
		}
		s.utf8 = s.utf8 || recode.NeedsUTF8(address)
		s.rcpts, s.to = append(s.rcpts, i), append(s.to, plain)
	}
	return len(s.rcpts) > 0
}

// writable is an address as it goes into a command.
func writable(address string) (string, error) {
	if err := spool.CheckAddress(address); err != nil {
		return "", err
	}
	plain, err := recode.ASCIIDomain(address)
	if err != nil || plain == address {
		return plain, err
	}
	return plain, spool.CheckAddress(plain) // what the mapping made of it
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// settle gives o to every recipient that has no outcome yet.
func (s *send) settle(o spool.Outcome) {
	for i := range s.outcomes {
		if s.outcomes[i].Class == "" {
			s.outcomes[i] = o
		}
	}
}

func (s *send) result() Result {
	r := Result{Outcomes: s.outcomes, Stale: s.stale, Elsewhere: s.elsewhere(), OutOfStep: s.outOfStep}
	for i := range s.outcomes {
		if s.t.Sender == "" {
			s.outcomes[i] = ofNullSender(s.outcomes[i])
		}
		if s.outcomes[i].Reason != spool.ReasonTooMany {
			continue
		}
		if s.accepted == 0 {
			s.outcomes[i].Reason = ""
			continue
		}
		r.TooMany++
	}
	s.endSession(&r)
	return r
}

// endSession acts on ReasonSession. On a connection that had served before, another one goes
// on with all recipients, or with the rest if somebody got the message; on a fresh one it is
// the server's limit, so that nobody loops.
func (s *send) endSession(r *Result) {
	met, delivered := false, false
	for i := range r.Outcomes {
		met = met || r.Outcomes[i].Reason == spool.ReasonSession
		delivered = delivered || r.Outcomes[i].Class == spool.Delivered
	}
	if !met {
		return
	}
	if r.Stale = s.reused && !delivered; r.Stale {
		return
	}
	for i := range r.Outcomes {
		switch o := &r.Outcomes[i]; {
		case o.Reason != spool.ReasonSession:
		case delivered: // the next transaction hears it anew
			o.Scope, o.Reason = spool.RecipientScope, spool.ReasonTooMany
		default:
			o.Reason = spool.ReasonLimit
		}
	}
}

// run takes the tickets, talks, and gives the tickets back.
func (s *send) run(ctx context.Context) {
	if !take(ctx, s.c.writing) {
		s.settle(s.c.own(spool.Deferred, spool.MessageScope, spool.ReasonLost, errInterrupted.Error()))
		return
	}
	s.watch.hold(&s.watch.writes)
	defer s.giveBack(&s.watch.reads, s.c.reading)
	defer s.giveBack(&s.watch.writes, s.c.writing)
	stop := s.watch.start(ctx)
	defer stop()
	if err := s.talk(ctx); err != nil {
		s.fail(err)
	}
}

func (s *send) giveBack(held *bool, ticket chan struct{}) {
	if s.watch.drop(held) {
		<-ticket
	}
}

func (s *send) talk(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := s.envelope(ctx); err != nil {
		return err
	}
	if !s.goAhead {
		s.c.halfOpen = s.mailed || s.accepted > 0
		return nil
	}
	if err := s.content(); err != nil {
		return err
	}
	s.dotSent = true
	s.watch.passDot()
	s.giveBack(&s.watch.writes, s.c.writing)
	return s.verdict()
}

// begin gets the place to speak: the reading ticket too, unless the commands can go
// out behind the final dot of the one who has it.
func (s *send) begin(ctx context.Context) error {
	c := s.c
	select {
	case c.reading <- struct{}{}:
		s.watch.hold(&s.watch.reads)
	default:
		if c.offers.pipelining {
			s.overlapped = true
			c.behind.Store(true)
		} else if err := s.takeReading(ctx); err != nil {
			return err
		}
	}
	if c.broken.Load() {
		return errEnded
	}
	s.reused = c.sent.Add(1) > 1
	if s.watch.reads && c.br.Buffered() > 0 {
		return s.unasked()
	}
	return nil
}

// takeReading waits until the other transaction has its answer.
func (s *send) takeReading(ctx context.Context) error {
	if !take(ctx, s.c.reading) {
		return errInterrupted
	}
	s.watch.hold(&s.watch.reads)
	if s.overlapped {
		s.c.behind.Store(false)
	}
	if s.c.broken.Load() {
		return errEnded
	}
	return nil
}

// unasked reads what came before the first command: a 421 said in parting, or nonsense.
func (s *send) unasked() error {
	code, text, err := s.read(s.c.timeout)
	if err == nil && code == 421 {
		return s.parting(StageMail, code, text)
	}
	return protocolError("the server spoke before it was asked")
}
