package smtpout

import "notices/spool"

// Stages that a rule is for.
var (
	toMail   = []Stage{StageMail}
	toRcpt   = []Stage{StageRcpt}
	envelope = []Stage{StageMail, StageRcpt, StageData, StageBody, StageDot}
)

// rules are tried in order before byCode; the first that matches decides. They are data
// only, so that they cost a process nothing at its start. The replies that they are made for, with
// where each is documented or was seen, are in testdata/replies.tsv.
var rules = []rule{
	// The server is going away, RFC 5321 3.8. So says Google when it has had enough of us, too.
	{codes: []int{421}, reason: spool.ReasonShutdown},

	// The account's limit or policy.
	{codes: []int{432}, details: []string{"7.12"}, reason: spool.ReasonAuth}, // RFC 4954: the password must be changed
	{codes: []int{432}, reason: spool.ReasonLimit},
	{codes: []int{450}, details: []string{"2.1"}, says: []string{"relay limit"}, reason: spool.ReasonLimit},
	{stages: envelope, codes: []int{550}, details: []string{"4.5", "7.30", "7.705", "7.708"}, reason: spool.ReasonLimit},
	{stages: envelope, codes: []int{550}, details: []string{"7.1", "1.90", "7.232", "7.233"}, words: []string{"limit", "limits"}, reason: spool.ReasonLimit},
	{stages: envelope, codes: []int{5}, details: []string{"1.8"}, says: []string{"bad outbound sender"}, reason: spool.ReasonLimit},
	{codes: []int{554}, details: []string{"2.0"}, says: []string{"quota"}, reason: spool.ReasonLimit},
	{codes: []int{5}, details: []string{"2.2"}, says: []string{"submission quota exceeded"}, reason: spool.ReasonLimit},
	{codes: []int{4}, says: []string{"throttling failure", "maximum credits exceeded"}, reason: spool.ReasonLimit},
	{stages: toMail, codes: []int{450, 451}, details: []string{"7.1"}, words: []string{"limit", "limits", "limited", "rate"}, reason: spool.ReasonLimit},
	{stages: toMail, codes: []int{450, 451}, details: []string{"7.1"}, says: []string{"too much mail"}, reason: spool.ReasonLimit},

	// TLS or AUTH is missing or was refused, said at whatever command.
	{codes: []int{530, 550, 554}, says: []string{"issue a starttls command"}, reason: spool.ReasonTLS},
	{stages: envelope, codes: []int{530, 534, 535, 538}, reason: spool.ReasonAuth},
	{stages: envelope, codes: []int{454}, details: []string{"7.0"}, reason: spool.ReasonAuthWait},

	// We spoke too early; that can only be overlapping transactions.
	{stages: envelope, says: []string{"command pipelining", "to pipeline", "synchronization error"}, reason: spool.ReasonProtocol},

	// The account may not send as this sender: its owner can cure that, waiting cannot.
	{stages: envelope, details: []string{"7.60", "2.252"}, scope: spool.MessageScope, reason: spool.ReasonSendAs},
	{stages: envelope, says: []string{"send as this sender", "sendasdenied", "not owned by user", "sender address rejected: not logged in", "not authorized to send from that email address"}, scope: spool.MessageScope, reason: spool.ReasonSendAs},

	// The server does not serve us, whoever the message is for.
	{stages: envelope, test: deniesRelay, reason: spool.ReasonRelay},
	{stages: envelope, codes: []int{5}, says: authPhrases, reason: spool.ReasonAuth},
	{stages: envelope, codes: []int{5}, says: []string{"client host rejected", "client host [", "helo command rejected", "banned sending ip"}, reason: spool.ReasonRelay},
	{codes: []int{521}, reason: spool.ReasonGreeting}, // RFC 7504

	// The server cannot take such a message: its size (RFC 1870), a parameter, UTF-8 (RFC 6531).
	{stages: toMail, codes: []int{552}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonCannot},
	{stages: toMail, codes: []int{555}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonCannot},
	{stages: envelope, codes: []int{550, 553}, details: []string{"6.7"}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonCannot},

	// The sender was refused, by a server that waits with that for the recipient or the dot.
	{stages: envelope, codes: []int{5}, details: []string{"1.7", "1.8"}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonSender}, // RFC 3463 3.2
	{stages: toRcpt, codes: []int{5}, says: []string{"sender address rejected"}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonSender},

	// Too many recipients; RFC 5321 4.5.3.1.10 has 552 mean 452 here.
	{stages: toRcpt, codes: []int{450, 451, 452, 550, 552}, details: []string{"5.3"}, scope: spool.RecipientScope, reason: spool.ReasonTooMany},
	{stages: toRcpt, codes: []int{452, 552}, says: []string{"too many recipients"}, scope: spool.RecipientScope, reason: spool.ReasonTooMany},

	// "Unknown command" and "bad sequence" say nothing of the message: another server may understand us.
	{stages: envelope, codes: []int{500, 502, 503}, scope: spool.MessageScope},
}

var relayPhrases = []string{
	"relay access denied", "relaying denied", "relay denied", "unable to relay", "no relaying", "rcpthosts",
	"relay not permitted", "relaying not permitted", "permitted to relay",
	"relay not allowed", "relaying not allowed", "allowed to relay",
	"relay prohibited", "relaying prohibited", "relaying is prohibited",
	"cannot relay", "does not relay", "do not relay", "not an open relay",
	"credentials for relay", "relaying mail to", "not configured to relay",
}

var authPhrases = []string{
	"authentication required", "authentication is required", "requires authentication",
	"authenticate first", "send auth command first", "not authenticated to send", "was not authenticated", "not logged in",
}
