package smtpreply

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"notices/spool"
	"notices/spool/printable"
)

// Stage is a step of the conversation: what a reply is an answer to.
type Stage string

// Stages, in the order in which they come.
const (
	StageSecret   Stage = "secret" // the password or token is fetched
	StageDNS      Stage = "dns"
	StageConnect  Stage = "connect"
	StageTLS      Stage = "tls"      // the handshake
	StageGreeting Stage = "greeting" // the 220 line
	StageHello    Stage = "ehlo"
	StageStartTLS Stage = "starttls"  // the reply to STARTTLS
	StageStepDown Stage = "step down" // the mail goes out less secure
	StageAuth     Stage = "auth"
	StageReset    Stage = "rset"
	StageMail     Stage = "mail"
	StageRcpt     Stage = "rcpt"
	StageData     Stage = "data" // the reply to DATA
	StageBody     Stage = "body" // the message is being written
	StageDot      Stage = "dot"  // the reply to the final dot
	StageQuit     Stage = "quit"
)

// Judge makes outcomes of what one server said or did, and texts that may be shown.
type Judge struct {
	Server, Host string // for Reply.Server and Reply.Host
	Now          func() time.Time
	secrets      secrets // what is masked
}

// Mask hides the secret, and the AUTH responses that contain it, in all texts from now on.
func (j *Judge) Mask(secret string, responses ...string) {
	j.secrets = secretForms(secret, responses...)
}

// Reply fills a spool.Reply. Everything that is shown of what a server said passes
// here: secrets are masked, and it becomes one line. Our own words (code 0) are not
// masked: what is missing in them would show what the secret is.
func (j *Judge) Reply(code int, enhanced string, text []byte) spool.Reply {
	if text = stripEnhanced(text, enhanced); code != 0 {
		text = j.secrets.hide(text)
	}
	return spool.Reply{
		Server:   j.Server,
		Host:     j.Host,
		Code:     code,
		Enhanced: enhanced,
		Text:     oneLine(text),
		At:       j.Now().UTC().Truncate(time.Second),
	}
}

// Outcome classifies a reply that was just read.
func (j *Judge) Outcome(stage Stage, code int, text []byte) spool.Outcome {
	enhanced := findEnhanced(code, text)
	o := Classify(stage, code, enhanced, oneLine(stripEnhanced(text, enhanced)))
	o.Reply = j.Reply(code, enhanced, text)
	return o
}

// Local is an outcome that is not the server's word.
func (j *Judge) Local(class spool.Class, scope spool.Scope, reason spool.Reason, text string) spool.Outcome {
	return spool.Outcome{Class: class, Scope: scope, Reason: reason, Reply: j.Reply(0, "", []byte(text))}
}

// maxText is the longest Reply.Text, in octets.
const maxText = 500

// oneLine makes foreign bytes fit to be shown, in at most maxText octets.
func oneLine(b []byte) string { return printable.Cut(printable.Line(string(b)), maxText) }

// Loss says for a person how a connection ended, or that what came was no SMTP.
func (j *Judge) Loss(err error) string {
	var p ProtocolError
	switch {
	case errors.As(err, &p):
		p.Quoted = string(j.secrets.hide([]byte(p.Quoted)))
		return "the server speaks no proper SMTP: " + p.Error()
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

// ForNullSender corrects the outcome of a message without a sender, a report. Servers refuse
// those in the words that they have for a sender who lacks a right, or for the message as a
// whole. No person can grant such a right, and the server takes the same report with a sender.
func ForNullSender(o spool.Outcome) spool.Outcome {
	refused := o.Class == spool.Failed && o.Reason == "" && o.Reply.Code != 0 && containsAny(strings.ToLower(o.Reply.Text), senderNamed)
	if refused || o.Reason == spool.ReasonSendAs || o.Reason == spool.ReasonIdentity {
		o.Class, o.Scope, o.Reason = spool.Failed, spool.MessageScope, spool.ReasonSender
	}
	return o
}

// senderNamed are words for a sender, also for the null sender.
var senderNamed = []string{"sender", "<>", "mail from", "mailfrom", "reverse-path", "reverse path", "return path", "return-path"}
