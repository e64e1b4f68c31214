package spool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Asked is what the sender of a message asked to be told of it: NOTIFY, ORCPT, RET and
// ENVID of RFC 3461, or sendmail's -N, -R and -V. The zero value is nothing: then a
// failure and a delay are told, as everybody expects.
//
// SMTP has NOTIFY for each recipient. Where all of them have the same, Notify holds it
// and NotifyEach nothing, which is the form that older programs know, too. Where they
// differ those older programs go by Notify, and tell too much rather than too little.
type DSNParams struct {
	// Notify is never, or any of failure, delay and success with commas, in lower case;
	// empty: failure and delay. With NotifyEach: what any recipient has.
	Notify     string   `json:"notify,omitempty"`
	NotifyEach []string `json:"notify_each,omitempty"` // as Notify, for each recipient, where they differ
	// Originals are the addresses that the sender knows the recipients by, each as
	// TYPE;ADDRESS and decoded (ORCPT); empty: none was given.
	Originals     []string `json:"originals,omitempty"`
	ReturnHeaders bool     `json:"return_headers,omitempty"` // of the message only its header comes back
	ReturnFull    bool     `json:"return_full,omitempty"`    // all of it: what is done anyway, but not by every server
	EnvelopeID    string   `json:"envelope_id,omitempty"`    // the sender's own; it comes back in reports
}

// Words of NOTIFY.
const (
	Never     = "never"
	OnFailure = "failure"
	OnDelay   = "delay"
	OnSuccess = "success"
)

// Bounds of parameters as they are sent, RFC 3461 sections 4.2 and 4.4, in octets.
const (
	maxOriginal   = 500
	maxEnvelopeID = 100
)

// None reports whether nothing was asked for.
func (a *DSNParams) Empty() bool {
	return a.Notify == "" && len(a.NotifyEach) == 0 && len(a.Originals) == 0 && !a.ReturnHeaders && !a.ReturnFull && a.EnvelopeID == ""
}

// NotifyOf is Notify for the recipient of that index.
func (a *DSNParams) NotifyOf(i int) string {
	if i < len(a.NotifyEach) {
		return a.NotifyEach[i]
	}
	return a.Notify
}

// OriginalOf is the original address of the recipient of that index, TYPE;ADDRESS, or
// nothing.
func (a *DSNParams) OriginalOf(i int) string {
	if i < len(a.Originals) {
		return a.Originals[i]
	}
	return ""
}

// Wants reports whether the sender wants to be told when that happens to the recipient
// of that index: OnFailure, OnDelay or OnSuccess.
func (a *DSNParams) Notifies(word string, i int) bool {
	words := a.NotifyOf(i)
	if words == "" {
		return word != OnSuccess
	}
	return HasWord(words, word)
}

// HasWord reports whether a word is among those of NOTIFY.
func HasWord(words, word string) bool { return slices.Contains(strings.Split(words, ","), word) }

// Pick is what was asked of some recipients alone, by their indices. It is nil when a
// is, and a itself when that says it.
func (a *DSNParams) Subset(to []int) *DSNParams {
	if a == nil || len(a.NotifyEach) == 0 && len(a.Originals) == 0 {
		return a
	}
	picked := *a
	picked.NotifyEach, picked.Originals = nil, nil
	for _, i := range to {
		picked.NotifyEach = append(picked.NotifyEach, a.NotifyOf(i))
		picked.Originals = append(picked.Originals, a.OriginalOf(i))
	}
	return &picked
}

// SetEach takes what was asked of each recipient, in the shortest form that says it.
func (a *DSNParams) SetForEach(notify, originals []string) {
	a.Notify, a.NotifyEach, a.Originals = "", nil, nil
	if slices.ContainsFunc(originals, func(s string) bool { return s != "" }) {
		a.Originals = originals
	}
	if len(notify) == 0 {
		return
	}
	a.Notify = notify[0]
	if slices.ContainsFunc(notify, func(s string) bool { return s != notify[0] }) {
		a.Notify, a.NotifyEach = anyOf(notify), notify
	}
}

// anyOf has each word that one of them has.
func anyOf(notify []string) string {
	each := DSNParams{NotifyEach: notify}
	var words []string
	for _, word := range []string{OnSuccess, OnFailure, OnDelay} {
		for i := range notify {
			if each.Notifies(word, i) {
				words = append(words, word)
				break
			}
		}
	}
	return strings.Join(words, ",")
}

// Check reports what is wrong with it, for a message to so many recipients. Nothing
// that passes can leave its place in an SMTP command or in a report.
func (a *DSNParams) Check(recipients int) error {
	if n := len(a.NotifyEach); n > 0 && n != recipients {
		return fmt.Errorf("it says for %d recipients what is to be told, and has %d", n, recipients)
	}
	if n := len(a.Originals); n > 0 && n != recipients {
		return fmt.Errorf("it has %d original recipients, and %d recipients", n, recipients)
	}
	if a.ReturnFull && a.ReturnHeaders {
		return errors.New("all of the message is to come back, and only its header")
	}
	err := CheckEnvelopeID(a.EnvelopeID)
	for _, words := range append([]string{a.Notify}, a.NotifyEach...) {
		if err == nil && words != "" {
			err = CheckNotify(words)
		}
	}
	for _, original := range a.Originals {
		if err == nil && original != "" {
			err = CheckOriginal(original)
		}
	}
	return err
}

// CheckNotify reports what is wrong with the words of Asked.Notify, RFC 3461 section 4.1.
func CheckNotify(words string) error {
	if words == Never {
		return nil
	}
	for word := range strings.SplitSeq(words, ",") {
		if word != OnFailure && word != OnDelay && word != OnSuccess {
			return fmt.Errorf("%.40s: it is never, or any of failure, delay and success with commas between", words)
		}
	}
	return nil
}

// CheckEnvelopeID reports what is wrong with an envelope id, RFC 3461 section 4.4.
func CheckEnvelopeID(id string) error {
	if strings.ContainsFunc(id, unprintable) || len(AppendXtext(nil, id)) > maxEnvelopeID {
		return fmt.Errorf("an envelope id has at most %d printable ASCII characters; blanks, + and = count as three", maxEnvelopeID)
	}
	return nil
}

// CheckOriginal reports what is wrong with an original recipient, TYPE;ADDRESS, RFC
// 3461 section 4.2 and RFC 6533 section 3.
func CheckOriginal(original string) error {
	kind, address, _ := strings.Cut(original, ";")
	bad := unprintable
	if kind == "utf-8" {
		bad = func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }
	}
	if kind == "" || strings.ContainsFunc(kind, notAtom) || address == "" || strings.ContainsFunc(address, bad) {
		return fmt.Errorf("the original recipient %.80q is no type and an address with a semicolon between", original)
	}
	if len(AppendOriginal(nil, original)) > maxOriginal {
		return fmt.Errorf("the original recipient %.80q is too long", original)
	}
	return nil
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// notAtom: types are registered with IANA, and have letters, digits and hyphens.
func notAtom(r rune) bool { return r != '-' && !isAlphanumeric(r) }
