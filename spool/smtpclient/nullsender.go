package smtpclient

import (
	"strings"

	"notices/spool"
)

// ofNullSender reads an answer to a message without a sender, a report: servers refuse
// those in the words that they have for a sender who lacks a right, or for the message
// as a whole. There is no right that a person could give, and what such a server takes
// is the same report with a sender.
func ofNullSender(o spool.Outcome) spool.Outcome {
	refused := o.Class == spool.Failed && o.Reason == "" && o.Reply.Code != 0 && saysSender(o.Reply.Text)
	if refused || o.Reason == spool.ReasonSendAs || o.Reason == spool.ReasonIdentity {
		o.Class, o.Scope, o.Reason = spool.Failed, spool.MessageScope, spool.ReasonSender
	}
	return o
}

func saysSender(text string) bool {
	return containsAny(strings.ToLower(text), []string{"sender", "<>", "mail from", "mailfrom", "reverse-path", "reverse path", "return path", "return-path"})
}
