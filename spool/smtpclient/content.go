package smtpclient

import (
	"errors"
	"os"

	"notices/spool"
)

// content writes the message and the final dot. When no recipient was accepted and the
// server wants it all the same, the dot alone (RFC 2920 3.1).
func (s *send) content() error {
	if !s.mailed || s.accepted == 0 {
		return s.write([]byte(".\r\n"))
	}
	var err error
	if s.body.whole != nil {
		err = s.writePiece(s.body.whole)
	} else {
		err = s.body.stream(s.writePiece)
	}
	switch {
	case err == nil:
		return nil
	case s.writeErr == nil: // the disk's trouble, not the server's; no dot may follow
		s.settle(s.c.own(spool.Deferred, spool.MessageScope, "", err.Error()))
		return errParting
	}
	// The server may have said why before it hung up: 552, say.
	code, text, readErr := s.read(s.patience())
	if readErr == nil && code >= 400 {
		return s.parting(StageBody, code, text)
	}
	return s.writeErr
}

func (s *send) writePiece(b []byte) error {
	s.writeErr = s.write(b)
	return s.writeErr
}

// verdict waits for the answer to the final dot.
func (s *send) verdict() error {
	code, text, err := s.read(s.c.dataTimeout)
	switch {
	case err != nil:
		return err
	case code == 421:
		return s.parting(StageDot, code, text)
	case code/100 == 3:
		return s.odd(StageDot, code)
	case !s.mailed || s.accepted == 0:
		return nil
	}
	o := s.c.judge(StageDot, code, text)
	s.outOfStep = o.Reason == spool.ReasonProtocol && s.c.behind.Load()
	s.settle(o)
	s.relay()
	s.report(StageDot, o)
	return nil
}

// fail ends the connection and says what that means for this transaction.
func (s *send) fail(err error) {
	c := s.c
	if err == errInterrupted && !s.watch.reads && s.next == s.heard {
		// Nothing was written: the connection is none the worse.
		s.settle(c.own(spool.Deferred, spool.MessageScope, spool.ReasonLost, err.Error()))
		return
	}
	c.broken.Store(true)
	if s.watch.reads {
		c.raw.Close() // else another one still waits for its answer
	}
	crossed := s.overlapped || c.behind.Load()
	silent := errors.Is(err, os.ErrDeadlineExceeded)
	s.outOfStep = crossed && err != errParting && err != errInterrupted && err != errEnded
	s.stale = err == errEnded || s.reused && !s.answered && err != errInterrupted && (!silent || s.overlapped)
	if s.undecided() {
		o := s.loss(err)
		s.settle(o)
		s.report(s.lastStage(), o)
	}
}

func (s *send) undecided() bool {
	for i := range s.outcomes {
		if s.outcomes[i].Class == "" {
			return true
		}
	}
	return false
}

// loss is the outcome of a connection that ended or spoke no SMTP.
func (s *send) loss(err error) spool.Outcome {
	own := s.c.own
	switch text := lossText(err); {
	case s.dotSent:
		return own(spool.Uncertain, spool.MessageScope, spool.ReasonLost, "no answer to the final dot: "+text)
	case errors.As(err, new(protocolError)):
		return own(spool.Deferred, spool.ServerScope, spool.ReasonProtocol, text)
	case s.mailed:
		return own(spool.Deferred, spool.MessageScope, spool.ReasonLost, "after MAIL was accepted: "+text)
	case err == errInterrupted:
		return own(spool.Deferred, spool.MessageScope, spool.ReasonLost, text)
	default:
		return own(spool.Deferred, spool.ServerScope, spool.ReasonConnect, "in answer to MAIL: "+text)
	}
}

func (s *send) lastStage() Stage {
	switch {
	case s.dotSent:
		return StageDot
	case s.goAhead:
		return StageBody
	}
	return s.stage()
}
