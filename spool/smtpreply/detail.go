package smtpreply

import "slices"

// Detail is what a refusal for good says of its recipient: the last two numbers of an enhanced
// status code (RFC 3463 section 3), such as "1.1". The server's own count, unless they say nothing
// specific or something else than its words: then the words decide. It is empty if neither says
// anything. enhanced is the server's code or empty. A refusal that came in a return (a bounce) is read
// the same way as one that was met directly.
func Detail(code int, enhanced, text string) string {
	r := answer{stage: StageRcpt, code: code}
	r.text, r.recipientNamed = withoutPrefix(ownWords(text))
	if len(enhanced) > 2 {
		r.detail = enhanced[2:]
	}
	if !slices.Contains(vagueDetails, r.detail) || containsAny(r.text, senderWords) {
		return r.detail
	}
	for i := range meanings {
		if meanings[i].matches(&r) {
			return meanings[i].detail
		}
	}
	return r.detail
}

// vagueDetails say nothing specific of a recipient, or are used by some servers for all kinds of
// refusals: RFC 3463 sections 3.1 to 3.6, "other or undefined"; Microsoft uses 1.10, 4.1 and 4.310 so.
var vagueDetails = []string{"", "0.0", "1.0", "1.10", "2.0", "3.0", "4.0", "4.1", "4.310", "5.0"}

// meaning is what a refusal says in words.
type meaning struct {
	rule
	detail string
}

// meanings are tried in order.
var meanings = []meaning{
	{rule{says: [][]string{fullPhrases}}, "2.2"},
	{rule{says: [][]string{noDomainPhrases}}, "1.2"},
	{rule{says: [][]string{noMailboxPhrases}}, "1.1"},
	{rule{says: [][]string{{"doesn't have a", "does not have a"}, {"account", "mailbox"}}}, "1.1"}, // Yahoo
	{rule{says: [][]string{closedPhrases}}, "2.1"},
	// Microsoft 365, where the directory does not have the address:
	// https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/fix-error-code-550-5-4-1-in-exchange-online
	{rule{details: []string{"4.1"}, says: [][]string{{"access denied"}}, test: func(r *answer) bool { return r.recipientNamed }}, "1.1"},
}

// noMailboxPhrases say that the domain has no such mailbox.
var noMailboxPhrases = []string{
	"no such user", "unknown user", "user unknown", "user not found", "user does not exist", "user doesn't exist", "user not known", "no such person", "no such address", "no such mailbox", "no such recipient", "recipientnotfound",
	"recipient unknown", "unknown recipient", "recipient not found", "recipient does not exist", "address unknown", "unknown address", "address does not exist", "address doesn't exist",
	"account that you tried to reach does not exist", "no account by that", "no mailbox here", "no mailbox by that", "mailbox not found", "mailbox unavailable", "mailbox does not exist", "mailbox doesn't exist", "unknown mailbox",
	"invalid recipient", "invalid mailbox", "not a valid user", "invalid user", "name is not recognized", "wasn't found at", "not listed in domino", "not listed in public name",
}

// fullPhrases say that the mailbox is full.
var fullPhrases = []string{"mailbox full", "mailbox is full", "inbox is full", "quota exceeded", "exceeded quota", "exceeded its quota", "over quota", "overquota", "out of storage", "exceeded storage", "insufficient system storage in mailbox"}

// closedPhrases say that the mailbox is closed.
var closedPhrases = []string{"mailbox disabled", "mailbox is disabled", "account disabled", "account is disabled", "account has been disabled", "user disabled", "account is inactive", "mailbox is inactive", "inactive user", "account has been closed", "account closed", "no longer active"}

// noDomainPhrases say that the part after the @ does not exist.
var noDomainPhrases = []string{"dns domain", "domain does not exist", "domain doesn't exist", "domain not found", "no such domain", "unknown domain", "host not found", "host or domain name not found", "nxdomain"}
