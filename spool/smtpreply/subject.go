package smtpreply

import (
	"slices"
	"strings"
)

// These look at a reply's words where a phrase alone does not tell who is meant.

// deniesRelay recognises "relaying denied" in its many words, but not a host that has
// "relay" in its name.
func deniesRelay(r *answer) bool {
	if containsAny(r.text, relayPhrases) {
		return true
	}
	if r.code == 551 && strings.Contains(r.text, "not local") && !strings.HasSuffix(r.text, "please try") {
		return true // else RFC 5321 3.4: an address follows that the recipient has moved to
	}
	return hasWord(r.text, relayWords) && !containsAny(r.text, recipientPhrases) &&
		(r.detail == "7.1" || containsAny(r.text, deniedWords))
}

// refusesHelo recognises that our EHLO name is refused. "Say HELO first" is a bad sequence.
func refusesHelo(r *answer) bool {
	if strings.Contains(r.text, "sender verify") {
		return false // it quotes what it said itself to the sender's server
	}
	return !slices.Contains([]int{500, 502, 503}, r.code) && hasWord(r.text, heloWords) || strings.Contains(r.text, "need fully-qualified hostname")
}

// recipientIsSubject recognises that the reply is about the recipient, though its words may be those
// of a limit.
func recipientIsSubject(r *answer) bool {
	if r.stage == StageMail {
		return false // no recipient was named yet
	}
	switch r.detail {
	case "2.121", "2.122":
		return true
	case "1.1", "1.2", "1.10", "2.1", "2.2":
		if !containsAny(r.text, ourSideWords) {
			return true
		}
	}
	if containsAny(r.text, ourLimitPhrases) {
		return false
	}
	if r.stage == StageRcpt && hasWord(r.text, []string{"recipient"}) && !containsAny(r.text, ourSideWords) && !strings.Contains(r.text, "recipient limit") {
		return true
	}
	return containsAny(r.text, recipientIsPhrases) || greylisted(r)
}

// greylisted recognises greylisting, also as "try again in 300 seconds" at RCPT.
func greylisted(r *answer) bool {
	return r.code/100 == 4 && (containsAny(r.text, greylistPhrases) ||
		r.stage == StageRcpt && strings.HasSuffix(r.text, " seconds") && strings.Contains(r.text, "again in ") && !containsAny(r.text, ourSideWords))
}

// saidOfBoth recognises a refusal that may be for the message's sake or for the client's.
func saidOfBoth(r *answer) bool {
	return strings.HasPrefix(r.text, "[") && strings.Contains(r.text, "likely unsolicited mail")
}

// aboutClient recognises that this machine or its address is not served.
func aboutClient(r *answer) bool {
	if recipientIsSubject(r) && !strings.Contains(r.text, "your ip") {
		return false
	}
	return (containsAny(r.text, clientPhrases) || hasWord(r.text, []string{"rbl"})) && !containsAny(r.text, notClient)
}

// aboutLimit recognises a limit of the account. At MAIL a limit or a quota is always the account's;
// later only with a word that says so.
func aboutLimit(r *answer) bool {
	if recipientIsSubject(r) || containsAny(r.text, notAccountLimit) {
		return false
	}
	if r.stage != StageMail && strings.Contains(r.text, "too many recipients") && !containsAny(r.text, notMessageLimit) {
		return false // the message's
	}
	return containsAny(r.text, limitPhrases) || hasWord(r.text, limitWord) &&
		(r.stage == StageMail || containsAny(r.text, limitReached) || containsAny(r.text, limitOurs) && !strings.Contains(r.text, "recipient"))
}

// aboutAccount recognises that the account is shut.
func aboutAccount(r *answer) bool {
	if recipientIsSubject(r) || containsAny(r.text, toSomebodyPhrases) || containsAny(r.text, quotingPhrases) {
		return false
	}
	subjects := accountWords
	switch r.stage {
	case StageMail: // nobody else's was named yet
		subjects = append([]string{"mailbox"}, accountWords...)
	case StageRcpt:
		subjects = ourWords
	}
	return containsAny(r.text, accountPhrases) ||
		containsAny(r.text, shutWords) && containsAny(r.text, subjects) && !containsAny(r.text, []string{"message", "content", "attachment"})
}

// aboutPolicy recognises a policy's refusal at RCPT that need not be about the recipient.
func aboutPolicy(r *answer) bool {
	if strings.HasPrefix(r.text, "administrative prohibition") {
		return true // Exim, where an ACL has no words of its own
	}
	return strings.HasPrefix(r.detail, "7.") && !aboutRecipient(r) && !containsAny(r.text, toSomebodyPhrases) && !containsAny(r.text, recipientPolicyWords) &&
		!(r.recipientNamed && (r.text == "" || strings.HasPrefix(r.text, "access denied"))) // Postfix, check_recipient_access
}

// aboutRecipient recognises that the recipient is refused.
func aboutRecipient(r *answer) bool {
	if r.code == 503 || strings.Contains(r.text, "no valid recipients") {
		return false // that is about the conversation
	}
	return slices.Contains(recipientDetails, r.detail) || r.recipientNamed && r.stage != StageRcpt || recipientIsSubject(r) || containsAny(r.text, recipientPhrases)
}
