package smtpreply

import (
	"cmp"
	"slices"
	"strings"

	"notices/spool"
)

// Classify decides what a reply means. Retry, failover, log, return and server test all use this
// one decision. What is unknown is Deferred.
//
// enhanced is the enhanced status code or empty, text is what a person is shown. The Reply
// of the outcome holds these three; the caller adds the server and the time.
func Classify(stage Stage, code int, enhanced, text string) spool.Outcome {
	r := answer{stage: stage, code: code}
	r.text, r.recipientNamed = withoutPrefix(ownWords(text))
	if len(enhanced) > 2 {
		r.detail = enhanced[2:]
	}
	o := byCode(stage, code)
	if code >= 400 && code <= 599 {
		if i := slices.IndexFunc(rules, func(u rule) bool { return u.matches(&r) }); i >= 0 {
			u := &rules[i]
			o = spool.Outcome{Class: cmp.Or(u.class, spool.Deferred), Scope: cmp.Or(u.scope, spool.ServerScope), Reason: u.reason}
		}
	}
	o.Reply = spool.Reply{Code: code, Enhanced: enhanced, Text: text}
	return o
}

// byCode decides where no rule matches, by the stage and the code's first digit.
func byCode(stage Stage, code int) spool.Outcome {
	class := spool.Deferred
	switch code / 100 {
	case 2:
		return spool.Outcome{Class: spool.Delivered}
	case 4:
	case 5:
		class = spool.Failed
	default:
		return serverTrouble(spool.ReasonProtocol)
	}
	switch stage {
	case StageMail:
		if class == spool.Failed {
			return spool.Outcome{Class: class, Scope: spool.MessageScope, Reason: spool.ReasonSender}
		}
		return spool.Outcome{Class: class, Scope: spool.MessageScope}
	case StageRcpt:
		return spool.Outcome{Class: class, Scope: spool.RecipientScope}
	case StageData, StageBody, StageDot:
		return spool.Outcome{Class: class, Scope: spool.MessageScope}
	case StageStartTLS:
		return serverTrouble(spool.ReasonTLS)
	case StageAuth:
		if class == spool.Failed {
			return serverTrouble(spool.ReasonAuth)
		}
		return serverTrouble(spool.ReasonAuthWait)
	case StageGreeting, StageHello:
		return serverTrouble(spool.ReasonGreeting)
	}
	return serverTrouble(spool.ReasonProtocol)
}

// serverTrouble is a problem of the server. It does not count against the message.
func serverTrouble(reason spool.Reason) spool.Outcome {
	return spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: reason}
}

// answer is a reply as the rules see it.
type answer struct {
	stage          Stage
	code           int
	detail         string // the enhanced code without its class: "7.1"
	text           string // in lower case, the server's own words, see ownWords
	recipientNamed bool   // "Recipient address rejected:" came before the text
}

// rule recognises a reply that its code alone does not explain. A condition that is
// nil holds for every reply.
type rule struct {
	stages       []Stage
	codes        []int      // 5 stands for all 5xx, 4 for all 4xx
	details      []string   // "" for a reply without an enhanced code
	says         [][]string // of each list a phrase is in the text
	words        []string   // one of these is a word of it
	not          [][]string // no phrase of these lists is in the text
	notRecipient bool       // what is said is not said of the recipient
	test         func(*answer) bool

	class  spool.Class // "": Deferred
	scope  spool.Scope // "": the server's
	reason spool.Reason
}

func (u *rule) matches(r *answer) bool {
	return (u.stages == nil || slices.Contains(u.stages, r.stage)) &&
		(u.codes == nil || slices.Contains(u.codes, r.code) || slices.Contains(u.codes, r.code/100)) &&
		(u.details == nil || slices.Contains(u.details, r.detail)) &&
		!slices.ContainsFunc(u.says, func(list []string) bool { return !containsAny(r.text, list) }) &&
		(u.words == nil || hasWord(r.text, u.words)) &&
		!slices.ContainsFunc(u.not, func(list []string) bool { return containsAny(r.text, list) }) &&
		(!u.notRecipient || !recipientIsSubject(r)) &&
		(u.test == nil || u.test(r))
}

func containsAny(text string, phrases []string) bool {
	return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(text, p) })
}

func hasWord(text string, words []string) bool {
	for word := range strings.FieldsSeq(text) {
		if slices.Contains(words, strings.Trim(word, `.,;:!?()[]"'`)) {
			return true
		}
	}
	return false
}
