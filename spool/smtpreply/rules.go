package smtpreply

import "notices/spool"

// Stages that a rule is for.
var (
	atMail   = []Stage{StageMail}
	atRcpt   = []Stage{StageRcpt}
	atData   = []Stage{StageData, StageBody, StageDot}
	envelope = []Stage{StageMail, StageRcpt, StageData, StageBody, StageDot}

	fromAuth  = []Stage{StageAuth, StageMail, StageRcpt, StageData, StageBody, StageDot}
	fromHello = []Stage{StageHello, StageMail, StageRcpt, StageData, StageBody, StageDot}
)

var tooManyCodes = []int{450, 451, 452, 550, 552}

// rules are tried in order before byCode; the first that matches decides. They are data
// only, so that they cost nothing when a process starts. The phrases are in words.go; where a
// phrase does not tell who is meant, a function in subject.go decides. The replies that the rules
// are made for are in testdata/replies.tsv, with where each is documented or was seen.
var rules = []rule{
	// This connection has carried enough: another one may go on.
	{stages: envelope, says: [][]string{sessionPhrases, limitWords}, reason: spool.ReasonSession},

	// It accepts no more connections at once. The others may go on.
	{stages: fromAuth, says: [][]string{connectionsPhrases}, not: [][]string{notConnections, quotingPhrases}, reason: spool.ReasonBusy},

	// Enough for this connection, in words that may also be those of another limit: on a fresh
	// connection they are.
	{stages: envelope, says: [][]string{limitWords}, words: sessionWords, not: [][]string{notConnections, clientPhrases, quotingPhrases}, reason: spool.ReasonSession},

	// The server is going away, RFC 5321 3.8. So says Google when it has had enough of us, too.
	{codes: []int{421}, reason: spool.ReasonShutdown},

	// A mailbox that does not exist, is closed or is full (RFC 3463 sections 3.2 and 3.3), and
	// greylisting: what else is said of it does not make it the account's trouble.
	{stages: atRcpt, codes: []int{5}, details: mailboxDetails, not: [][]string{senderWords}, class: spool.Failed, scope: spool.RecipientScope},
	{stages: atRcpt, codes: []int{4}, says: [][]string{greylistNames}, scope: spool.RecipientScope},

	// The account's limit or policy, by its code.
	{codes: []int{432}, details: []string{"7.12"}, reason: spool.ReasonAuth}, // RFC 4954: the password must be changed
	{codes: []int{432}, not: [][]string{{"recipient"}}, reason: spool.ReasonLimit},
	{codes: []int{450}, details: []string{"2.1"}, says: [][]string{{"relay limit"}}, reason: spool.ReasonLimit},
	{stages: envelope, codes: []int{450, 550}, details: []string{"7.30", "7.501", "7.502", "7.503", "7.708", "7.750"}, reason: spool.ReasonAccount},
	{stages: envelope, codes: []int{450, 550}, details: []string{"7.508", "7.705"}, reason: spool.ReasonLimit},
	{stages: envelope, codes: []int{550}, details: []string{"4.5"}, reason: spool.ReasonLimit},
	{stages: envelope, codes: []int{450, 550}, details: []string{"1.90", "7.232", "7.233"}, words: []string{"limit", "limits"}, reason: spool.ReasonLimit},
	{stages: envelope, codes: []int{450, 550}, details: []string{"7.1"}, words: limitNouns, not: [][]string{notAccountLimit}, notRecipient: true, reason: spool.ReasonLimit},
	{stages: atRcpt, codes: []int{4, 5}, details: []string{"7.0", "7.1"}, words: limitNouns, not: [][]string{notAccountLimit}, notRecipient: true, reason: spool.ReasonLimit},
	{codes: []int{554}, details: []string{"2.0"}, says: [][]string{{"quota"}}, reason: spool.ReasonLimit},
	{codes: []int{4}, says: [][]string{{"throttling failure", "maximum credits exceeded"}}, reason: spool.ReasonLimit},

	// The account may not send as this sender. Its owner can change that; waiting does not help.
	{stages: envelope, details: []string{"7.60", "2.252"}, scope: spool.MessageScope, reason: spool.ReasonSendAs},
	{stages: envelope, says: [][]string{sendAsPhrases}, scope: spool.MessageScope, reason: spool.ReasonSendAs},
	{stages: envelope, says: [][]string{{"sender identity"}}, reason: spool.ReasonIdentity},
	{stages: envelope, says: [][]string{identityPhrases}, not: [][]string{notIdentity, quotingPhrases, toSomebodyPhrases}, reason: spool.ReasonIdentity},

	// SPF, DKIM and DMARC of the sender's domain, RFC 7372 and Microsoft's: another server may
	// be in its SPF record.
	{stages: envelope, details: []string{"7.20", "7.21", "7.22", "7.23", "7.24", "7.26", "7.509", "7.515"}, reason: spool.ReasonIdentity},

	// TLS or AUTH is missing or was refused, said at whatever command.
	{codes: []int{4, 5}, says: [][]string{{"issue a starttls command"}}, reason: spool.ReasonTLS},
	{stages: envelope, codes: []int{530, 534, 535, 538}, reason: spool.ReasonAuth},
	{stages: envelope, codes: []int{454}, details: []string{"7.0"}, reason: spool.ReasonAuthWait},

	// The server is out of step with us: it said nothing about the message.
	{stages: envelope, says: [][]string{{"command pipelining", "to pipeline", "synchronization error"}}, reason: spool.ReasonProtocol},

	// The server does not serve us, whoever the message is for.
	{stages: fromHello, test: refusesHelo, reason: spool.ReasonHelo},
	{stages: envelope, test: deniesRelay, reason: spool.ReasonRelay},
	{codes: []int{521}, reason: spool.ReasonGreeting}, // RFC 7504

	// The server cannot take such a message: UTF-8 (RFC 6531), its size, a loop.
	{stages: envelope, codes: []int{550, 553}, details: []string{"6.7"}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonCannot},
	{stages: envelope, codes: []int{5}, details: []string{"3.4"}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonCannot},
	{stages: envelope, codes: []int{5}, says: [][]string{loopPhrases}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonCannot},
	{stages: envelope, codes: []int{5}, says: [][]string{sizePhrases}, notRecipient: true, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonCannot},
	{stages: envelope, codes: []int{4}, says: [][]string{loopPhrases}, scope: spool.MessageScope},
	{stages: envelope, codes: []int{4}, says: [][]string{sizePhrases}, notRecipient: true, scope: spool.MessageScope},

	// Too many recipients in one message, so that the rest belongs in another one; RFC 5321
	// 4.5.3.1.10 has 552 mean 452 here. What is counted by the hour or for a client is a limit.
	{stages: atRcpt, codes: tooManyCodes, details: []string{"5.3"}, not: [][]string{notMessageLimit}, scope: spool.RecipientScope, reason: spool.ReasonTooMany},
	{stages: atRcpt, codes: tooManyCodes, says: [][]string{{"too many recipients", "too many rcpt"}}, not: [][]string{notMessageLimit}, scope: spool.RecipientScope, reason: spool.ReasonTooMany},

	// Gmail, of this message or of the client whose address is in brackets. The message waits, and
	// does not keep others waiting.
	{stages: atData, codes: []int{5}, test: saidOfBoth, scope: spool.MessageScope},

	// The account, the sender or the client, by the words that many servers use.
	{stages: envelope, test: aboutClient, reason: spool.ReasonRelay},
	{stages: envelope, codes: []int{5}, says: [][]string{loginPhrases}, not: [][]string{notLogin}, reason: spool.ReasonAuth},
	{stages: envelope, codes: []int{4}, says: [][]string{loginPhrases}, not: [][]string{notLogin}, reason: spool.ReasonAuthWait},
	{stages: envelope, test: aboutLimit, reason: spool.ReasonLimit},
	{stages: envelope, says: [][]string{temporaryWords}, test: aboutAccount, reason: spool.ReasonLimit},
	{stages: envelope, test: aboutAccount, reason: spool.ReasonAccount},

	// RFC 1870 and RFC 5321 4.1.1.11: the size or a parameter of MAIL.
	{stages: atMail, codes: []int{552}, details: []string{"", "3.4", "2.3"}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonCannot},
	{stages: atMail, codes: []int{555}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonCannot},

	// The sender was refused, by a server that waits until RCPT or the dot to say so.
	{stages: envelope, codes: []int{5}, details: []string{"1.7", "1.8"}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonSender}, // RFC 3463 3.2
	{stages: envelope, codes: []int{5}, says: [][]string{senderPhrases}, not: [][]string{toSomebodyPhrases, notSender}, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonSender},
	{stages: envelope, codes: []int{4}, says: [][]string{senderPhrases}, not: [][]string{toSomebodyPhrases, notSender}, test: func(r *answer) bool { return !greylisted(r) }, scope: spool.MessageScope},

	// The recipient was refused, by a server that waits until the message to say so. A 4xx is left
	// to byCode: another server may take it.
	{stages: atData, codes: []int{5}, test: aboutRecipient, class: spool.Failed, scope: spool.RecipientScope},
	{stages: atRcpt, codes: []int{5}, test: aboutPolicy, class: spool.Failed, scope: spool.MessageScope, reason: spool.ReasonPolicy},

	// "Unknown command" and "bad sequence" say nothing of the message: another server may understand us.
	{stages: envelope, codes: []int{500, 502, 503}, scope: spool.MessageScope},
}
