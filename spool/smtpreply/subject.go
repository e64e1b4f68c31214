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
	return hasWord(r.text, relayWords) && !containsAny(r.text, recipientPhrases) &&
		(r.detail == "7.1" || containsAny(r.text, deniedWords))
}

// refusesHelo: the name that we say EHLO with. "Say HELO first" is a bad sequence.
func refusesHelo(r *answerTo) bool {
	if strings.Contains(r.text, "sender verify") {
		return false // it quotes what it said itself to the sender's server
	}
	return !slices.Contains([]int{500, 502, 503}, r.code) && hasWord(r.text, heloWords) || strings.Contains(r.text, "need fully-qualified hostname")
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
	return containsAny(r.text, recipientSubject) || greylisted(r)
}

// greylisted: the server wants us to try again later, as "try again in 300 seconds" at RCPT does, too.
func greylisted(r *answerTo) bool {
	return r.code/100 == 4 && (containsAny(r.text, greyPhrases) ||
		r.stage == StageRcpt && strings.HasSuffix(r.text, " seconds") && strings.Contains(r.text, "again in ") && !containsAny(r.text, ours))
}

func notGreylisted(r *answerTo) bool { return !greylisted(r) }

func aboutClient(r *answerTo) bool {
	if strings.HasPrefix(r.text, "[") && strings.Contains(r.text, "likely unsolicited mail") {
		return true // Google, of the address in the brackets
	}
	if recipientIsSubject(r) && !strings.Contains(r.text, "your ip") {
		return false
	}
	return (containsAny(r.text, clientPhrases) || hasWord(r.text, []string{"rbl"})) && !containsAny(r.text, clientNot)
}

// aboutLimit: at MAIL and at the dot a limit or a quota is the account's, whoever has one; at
// RCPT only with a word for it.
func aboutLimit(r *answerTo) bool {
	if recipientIsSubject(r) || containsAny(r.text, messageNot) {
		return false
	}
	if r.stage != StageMail && strings.Contains(r.text, "too many recipients") && !containsAny(r.text, limitNotMessage) {
		return false // the message's
	}
	return containsAny(r.text, limitPhrases) || hasWord(r.text, limitWord) &&
		(r.stage == StageMail || containsAny(r.text, limitReached) || containsAny(r.text, limitOurs) && !strings.Contains(r.text, "recipient"))
}

func aboutAccount(r *answerTo) bool {
	if recipientIsSubject(r) || containsAny(r.text, towards) || containsAny(r.text, quotes) {
		return false
	}
	subjects := accountWords
	if r.stage == StageRcpt {
		subjects = ourWords
	}
	return containsAny(r.text, accountPhrases) ||
		containsAny(r.text, shutWords) && containsAny(r.text, subjects) && !containsAny(r.text, []string{"message", "content", "attachment"})
}

// aboutPolicy: refused at RCPT for a policy, in words that need not be about the recipient.
func aboutPolicy(r *answerTo) bool {
	if strings.HasPrefix(r.text, "administrative prohibition") {
		return true // Exim, where an ACL has no words of its own
	}
	return strings.HasPrefix(r.detail, "7.") && !aboutRecipient(r) && !containsAny(r.text, towards) && !containsAny(r.text, atRecipient) &&
		!(r.named && (r.text == "" || strings.HasPrefix(r.text, "access denied"))) // Postfix, check_recipient_access
}

func aboutRecipient(r *answerTo) bool {
	if r.code == 503 || strings.Contains(r.text, "no valid recipients") {
		return false // the conversation's trouble
	}
	return slices.Contains(recipientDetails, r.detail) || r.named && r.stage != StageRcpt || recipientIsSubject(r) || containsAny(r.text, recipientPhrases)
}
