package smtpreply

import (
	"slices"
	"strings"
)

// These look at a reply's words where a phrase alone does not tell who is meant.

// deniesRelay recognises "relaying denied" in its many words, but not a host that has
// "relay" in its name.
func deniesRelay(r *answerTo) bool {
	if containsAny(r.text, relayPhrases) {
		return true
	}
	if r.code == 551 && strings.Contains(r.text, "not local") && !strings.HasSuffix(r.text, "please try") {
		return true // else RFC 5321 3.4: an address follows that the recipient has moved to
	}
	return hasWord(r.text, []string{"relay", "relaying"}) && !containsAny(r.text, recipientPhrases) &&
		(r.detail == "7.1" || containsAny(r.text, []string{"not authorized", "not authorised", "refused", "denied", "not allowed", "prohibited", "rejected"}))
}

// crowded recognises that the server stands no more connections at once.
func crowded(r *answerTo) bool {
	return containsAny(r.text, crowdPhrases) && !containsAny(r.text, crowdNot) && !r.quotes()
}

// endsSession recognises that this connection has carried enough, in words that may also be
// those of another limit: on a fresh connection they are.
func endsSession(r *answerTo) bool {
	return hasWord(r.text, sessionWords) && containsAny(r.text, limitWords) && !crowded(r) && !containsAny(r.text, crowdNot) && !containsAny(r.text, clientPhrases) && !r.quotes()
}

// quotes reports whether another server is quoted that was asked about an address.
func (r *answerTo) quotes() bool {
	return containsAny(r.text, []string{"unverified address", "undeliverable address"})
}

// refusesHelo: the name that we say EHLO with. "Say HELO first" is a bad sequence.
func refusesHelo(r *answerTo) bool {
	if strings.Contains(r.text, "sender verify") {
		return false // it quotes what it said itself to the sender's server
	}
	return r.code != 503 && r.code != 502 && r.code != 500 && hasWord(r.text, []string{"helo", "ehlo", "helo/ehlo", "ehlo/helo", "helo-name"}) ||
		strings.Contains(r.text, "need fully-qualified hostname")
}

// recipientIsSubject: what is said is said of the recipient, though the words may be those of a limit.
func recipientIsSubject(r *answerTo) bool {
	if r.stage == StageMail {
		return false // no recipient was named yet
	}
	switch r.detail {
	case "2.121", "2.122":
		return true
	case "1.1", "1.2", "1.10", "2.1", "2.2":
		if !containsAny(r.text, ours) {
			return true
		}
	}
	if containsAny(r.text, surelyOurs) {
		return false
	}
	if r.stage == StageRcpt && hasWord(r.text, []string{"recipient"}) && !containsAny(r.text, ours) && !strings.Contains(r.text, "recipient limit") {
		return true
	}
	return containsAny(r.text, recipientSubject) || askedForPatience(r)
}

// askedForPatience: greylisting, and "try again in 300 seconds" at RCPT.
func askedForPatience(r *answerTo) bool {
	return r.code/100 == 4 && (containsAny(r.text, greyPhrases) ||
		r.stage == StageRcpt && strings.HasSuffix(r.text, " seconds") && strings.Contains(r.text, "again in ") && !containsAny(r.text, ours))
}

func aboutIdentity(r *answerTo) bool {
	if !containsAny(r.text, identityPhrases) {
		return false
	}
	return strings.Contains(r.text, "sender identity") || !r.quotes() && !containsAny(r.text, identityNot) && !containsAny(r.text, towards)
}

func aboutClient(r *answerTo) bool {
	if strings.HasPrefix(r.text, "[") && strings.Contains(r.text, "likely unsolicited mail") {
		return true // Google, of the address in the brackets
	}
	if recipientIsSubject(r) && !strings.Contains(r.text, "your ip") {
		return false
	}
	return (containsAny(r.text, clientPhrases) || hasWord(r.text, []string{"rbl"})) && !containsAny(r.text, clientNot)
}

func aboutLogin(r *answerTo) bool {
	return containsAny(r.text, loginPhrases) && !containsAny(r.text, loginNot) && !strings.Contains(r.text, "resolver.")
}

func aboutLimit(r *answerTo) bool {
	if r.stage != StageMail && strings.Contains(r.text, "too many recipients") && !containsAny(r.text, sessionOrTime) {
		return false // the message's
	}
	return (containsAny(r.text, limitPhrases) || r.limitWord()) && !recipientIsSubject(r) && !containsAny(r.text, messageNot)
}

// namesLimit: a limit, beside an enhanced code of policy, but not one of what the message holds.
func namesLimit(r *answerTo) bool {
	return hasWord(r.text, []string{"limit", "limits", "quota"}) && !recipientIsSubject(r) && !containsAny(r.text, messageNot)
}

// limitWord: at MAIL and at the dot a limit or a quota is the account's, whoever has one;
// at RCPT only with a word for it.
func (r *answerTo) limitWord() bool {
	if !hasWord(r.text, []string{"limit", "limits", "limited", "quota", "rate"}) {
		return false
	}
	return r.stage == StageMail && !strings.Contains(r.text, "size") ||
		containsAny(r.text, []string{"exceeded limit", "limit exceeded", "limit reached", "reached limit", "limits exceeded", "limit for", "temporarily limited", "your limit"}) ||
		containsAny(r.text, []string{"sending", "outgoing", "outbound", "sender", "smtp", "your"}) && !strings.Contains(r.text, "recipient")
}

func aboutAccount(r *answerTo) bool {
	if recipientIsSubject(r) || containsAny(r.text, towards) || r.quotes() {
		return false
	}
	if containsAny(r.text, accountPhrases) {
		return true
	}
	subjects := accountWords
	if r.stage == StageRcpt {
		subjects = ourWords
	}
	return containsAny(r.text, shutWords) && containsAny(r.text, subjects) && !containsAny(r.text, []string{"message", "content", "attachment"})
}

// shutForNow recognises that what was said of the account passes by itself.
func shutForNow(r *answerTo) bool {
	return aboutAccount(r) && containsAny(r.text, []string{"temporar", "again later", "try later", "try again", "hour", "minute", " seconds", "today", "tomorrow", "slow down", "will be enabled"})
}

// aboutPolicy: refused at RCPT for a policy, in words that need not be about the recipient.
func aboutPolicy(r *answerTo) bool {
	if strings.HasPrefix(r.text, "administrative prohibition") {
		return true // Exim, where an ACL has no words of its own
	}
	return strings.HasPrefix(r.detail, "7.") && !aboutRecipient(r) && !containsAny(r.text, towards) && !containsAny(r.text, atRecipient) &&
		!(r.named && (r.text == "" || strings.HasPrefix(r.text, "access denied"))) // Postfix, check_recipient_access
}

// atRecipient, beside a policy's code at RCPT, says that it is the recipient all the same.
var atRecipient = []string{"recipient", "mailbox", "transport.rules", "organization policy", "account is", "account has", "user ", "this address", "closed", "no longer"}

// aboutMessage: its size, or that it goes round in a loop.
func aboutMessage(r *answerTo) bool {
	if containsAny(r.text, loopPhrases) {
		return true
	}
	return containsAny(r.text, sizePhrases) && !recipientIsSubject(r)
}

func aboutSender(r *answerTo) bool {
	return containsAny(r.text, senderPhrases) && !askedForPatience(r) && !containsAny(r.text, towards) && !containsAny(r.text, []string{"recipient address", "recipient's", "resolver."})
}

func aboutRecipient(r *answerTo) bool {
	if r.code == 503 || strings.Contains(r.text, "no valid recipients") {
		return false // the conversation's trouble
	}
	return slices.Contains(recipientDetails, r.detail) || r.named && r.stage != StageRcpt || recipientIsSubject(r) || containsAny(r.text, recipientPhrases)
}

// tooManyRecipients: for one message, so that the rest belongs in another one. What is
// counted by the hour or for a client is a limit.
func tooManyRecipients(r *answerTo) bool {
	if !slices.Contains([]int{450, 451, 452, 550, 552}, r.code) || containsAny(r.text, sessionOrTime) {
		return false
	}
	return r.detail == "5.3" || containsAny(r.text, []string{"too many recipients", "too many rcpt"})
}

var sessionOrTime = []string{"hour", "minute", "per day", "today", "daily", "second limit", "message limit", "messages limit", "recipients from", "throttl", "24h"}

func notRecipient(r *answerTo) bool { return !strings.Contains(r.text, "recipient") }

// notSender: nothing in the reply is about who sends.
func notSender(r *answerTo) bool { return !containsAny(r.text, senderWords) }
