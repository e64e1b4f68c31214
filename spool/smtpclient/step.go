package smtpclient

import (
	"crypto/tls"
	"errors"

	"notices/spool"
	"notices/spool/smtpreply"
)

// Step is what Server.Observe is told: a stage that succeeded, or failed with Err. Nothing in it is
// secret.
type Step struct {
	Stage  smtpreply.Stage
	Detail string // the reply; of DNS and connect: addresses; of TLS: version, cipher, certificate
	Err    error
	TLS    *tls.ConnectionState // with StageTLS
}

// judge judges what the server said or did, and tells Server.Observe of each step.
type judge struct {
	smtpreply.Judge
	tell func(Step) // may be nil
}

func (j *judge) observe(s Step) {
	if j.tell != nil {
		j.tell(s)
	}
}

// said reports a reply that was as it should be to Server.Observe.
func (j *judge) said(stage smtpreply.Stage, code int, text []byte) {
	j.observe(Step{Stage: stage, Detail: j.Reply(code, "", text).String()})
}

// Error is why Open failed. The outcome is Deferred and of server scope: no message fails because
// a server cannot be reached.
type Error struct {
	Outcome spool.Outcome
	Err     error // the cause; nil if the reply says it all

	duringTLS bool // the TLS handshake failed
}

func (e *Error) Error() string { return e.Outcome.Reply.String() }

func (e *Error) Unwrap() error { return e.Err }

// trouble is the error of an Open that failed without a reply.
func (j *judge) trouble(reason spool.Reason, text string, err error) *Error {
	return &Error{Outcome: j.Local(spool.Deferred, spool.ServerScope, reason, text), Err: err}
}

// failed reports the stage at which Open failed to Server.Observe.
func (j *judge) failed(stage smtpreply.Stage, e *Error) *Error {
	j.observe(Step{Stage: stage, Err: e})
	return e
}

// refused is a reply that ends Open.
func (j *judge) refused(stage smtpreply.Stage, code int, text []byte) *Error {
	e := &Error{Outcome: j.Outcome(stage, code, text)}
	if e.Outcome.Class == spool.Delivered { // a good reply, but not at this stage
		e.Outcome.Class, e.Outcome.Scope, e.Outcome.Reason = spool.Deferred, spool.ServerScope, spool.ReasonProtocol
	}
	return j.failed(stage, e)
}

// expect judges the reply to a step of Open: it must have the code want, or that first digit.
func (j *judge) expect(want int, stage smtpreply.Stage, reason spool.Reason, code int, text []byte, err error) error {
	switch {
	case err != nil:
		return j.lost(stage, reason, err)
	case code != want && code/100 != want:
		return j.refused(stage, code, text)
	}
	j.said(stage, code, text)
	return nil
}

// lost is a connection that ended during Open, or that did not speak SMTP.
func (j *judge) lost(stage smtpreply.Stage, reason spool.Reason, err error) *Error {
	text := string(stage) + ": " + j.Loss(err)
	if errors.As(err, new(smtpreply.ProtocolError)) {
		reason, err = spool.ReasonProtocol, nil // err quotes the server unmasked
	}
	return j.failed(stage, j.trouble(reason, text, err))
}
