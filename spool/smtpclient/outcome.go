package smtpclient

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"notices/spool"
)

// judge makes outcomes of what a server said or did, and tells Server.Observe of each step.
type judge struct {
	server  *Server
	now     func() time.Time
	secrets secrets // what is masked
}

// reply fills a spool.Reply. Everything that is shown of what a server said passes
// here: secrets are masked, one line is made of it. Words of our own (code 0) are not
// masked: what is missing in them would show what the secret is.
func (j *judge) reply(code int, enhanced string, text []byte) spool.Reply {
	if text = stripEnhanced(text, enhanced); code != 0 {
		text = j.secrets.hide(text)
	}
	return spool.Reply{
		Server:   j.server.Name,
		Host:     j.server.Host,
		Code:     code,
		Enhanced: enhanced,
		Text:     oneLine(text),
		At:       j.now().UTC().Truncate(time.Second),
	}
}

// outcome is Classify for a reply that was just read.
func (j *judge) outcome(stage Stage, code int, text []byte) spool.Outcome {
	enhanced := findEnhanced(code, text)
	o := Classify(stage, code, enhanced, oneLine(stripEnhanced(text, enhanced)))
	o.Reply = j.reply(code, enhanced, text)
	return o
}

// localOutcome is an outcome without a server's word.
func (j *judge) localOutcome(class spool.Class, scope spool.Scope, reason spool.Reason, text string) spool.Outcome {
	return spool.Outcome{Class: class, Scope: scope, Reason: reason, Reply: j.reply(0, "", []byte(text))}
}

// trouble is the server's, met by Open.
func (j *judge) trouble(reason spool.Reason, text string, err error) *Error {
	return &Error{Outcome: j.localOutcome(spool.Deferred, spool.ServerScope, reason, text), Err: err}
}

// refused is a reply that ends Open.
func (j *judge) refused(stage Stage, code int, text []byte) *Error {
	e := &Error{Outcome: j.outcome(stage, code, text)}
	if e.Outcome.Class == spool.Delivered { // a good word, but not the one for this stage
		e.Outcome.Class, e.Outcome.Scope, e.Outcome.Reason = spool.Deferred, spool.ServerScope, spool.ReasonProtocol
	}
	j.observe(Step{Stage: stage, Err: e})
	return e
}

// lost is a connection that ended during Open, or spoke no SMTP.
func (j *judge) lost(stage Stage, reason spool.Reason, err error) *Error {
	text := string(stage) + ": " + j.lossText(err)
	if errors.As(err, new(protocolError)) {
		reason, err = spool.ReasonProtocol, nil // it quotes the server unmasked
	}
	e := j.trouble(reason, text, err)
	j.observe(Step{Stage: stage, Err: e})
	return e
}

// lossText is the function lossText with what it quotes of the server masked.
func (j *judge) lossText(err error) string {
	var e *quotingError
	if errors.As(err, &e) {
		err = &quotingError{e.protocolError, string(j.secrets.hide([]byte(e.said)))}
	}
	return lossText(err)
}

// lossText says how a connection ended, for a person.
func lossText(err error) string {
	switch {
	case errors.As(err, new(protocolError)):
		return "the server speaks no proper SMTP: " + err.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timed out, no answer"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		return "the server closed the connection"
	case errors.Is(err, syscall.ECONNRESET):
		return "the connection was reset"
	case errors.Is(err, net.ErrClosed):
		return "the connection was closed"
	}
	return err.Error()
}

func (j *judge) observe(s Step) {
	if j.server.Observe != nil {
		j.server.Observe(s)
	}
}
