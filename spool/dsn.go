package spool

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DSNParams is which reports the sender of a message asked for: NOTIFY, ORCPT, RET and
// ENVID of RFC 3461, or sendmail's -N, -R and -V. With the zero value failures and delays
// are reported, as everybody expects.
//
// SMTP has NOTIFY for each recipient. If it is the same for all, Notify holds it and
// NotifyEach is empty, which is the form that older programs know, too. If it differs,
// those older programs go by Notify, and report too much rather than too little.
type DSNParams struct {
	// Notify is never, or any of failure, delay and success with commas, in lower case;
	// empty: failure and delay. With NotifyEach: what any recipient has.
	Notify     string   `json:"notify,omitempty"`
	NotifyEach []string `json:"notify_each,omitempty"` // as Notify, for each recipient, where they differ
	// Originals are the addresses that the sender knows the recipients by, each as
	// TYPE;ADDRESS and decoded (ORCPT); an empty one was not given.
	Originals     []string `json:"originals,omitempty"`
	ReturnHeaders bool     `json:"return_headers,omitempty"` // only the header of the message comes back
	ReturnFull    bool     `json:"return_full,omitempty"`    // all of it comes back: the default here, but not on every server
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

// Empty reports whether nothing was asked for.
func (a *DSNParams) Empty() bool {
	return a.Notify == "" && len(a.NotifyEach) == 0 && len(a.Originals) == 0 && !a.ReturnHeaders && !a.ReturnFull && a.EnvelopeID == ""
}

// NotifyOf is Notify of the recipient with index i.
func (a *DSNParams) NotifyOf(i int) string {
	if i < len(a.NotifyEach) {
		return a.NotifyEach[i]
	}
	return a.Notify
}

// OriginalOf is the original address of the recipient with index i, TYPE;ADDRESS, or empty.
func (a *DSNParams) OriginalOf(i int) string {
	if i < len(a.Originals) {
		return a.Originals[i]
	}
	return ""
}

// Notifies reports whether the sender wants a report when that happens to the recipient
// with index i: OnFailure, OnDelay or OnSuccess.
func (a *DSNParams) Notifies(word string, i int) bool {
	words := a.NotifyOf(i)
	if words == "" {
		return word != OnSuccess
	}
	return HasWord(words, word)
}

// HasWord reports whether a word is among those of NOTIFY.
func HasWord(words, word string) bool { return slices.Contains(strings.Split(words, ","), word) }

// Subset is what was asked for some recipients, by their indices. It is nil if a is nil,
// and a itself if that is the same.
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

// SetForEach sets NOTIFY and ORCPT of each recipient, in the shortest form.
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

// anyOf is each word that any of them has.
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

// Check reports what is wrong with them, for a message to that many recipients. Nothing
// that passes can break out of its place in an SMTP command or a report.
func (a *DSNParams) Check(recipients int) error {
	if n := len(a.NotifyEach); n > 0 && n != recipients {
		return fmt.Errorf("it has NOTIFY for %d recipients, and %d recipients", n, recipients)
	}
	if n := len(a.Originals); n > 0 && n != recipients {
		return fmt.Errorf("it has %d original recipients, and %d recipients", n, recipients)
	}
	if a.ReturnFull && a.ReturnHeaders {
		return errors.New("the whole message is to come back, and only its header")
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

// CheckNotify reports what is wrong with the words of DSNParams.Notify, RFC 3461 section 4.1.
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
		return fmt.Errorf("the original recipient %.80q is not a type and an address with a semicolon between", original)
	}
	if len(AppendOriginal(nil, original)) > maxOriginal {
		return fmt.Errorf("the original recipient %.80q is too long", original)
	}
	return nil
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// notAtom: types are registered with IANA, and have letters, digits and hyphens.
func notAtom(r rune) bool { return r != '-' && !isAlphanumeric(r) }

// hexDigits are upper case, as RFC 3461 section 4 demands.
const hexDigits = "0123456789ABCDEF"

// AppendXtext appends s, which is ASCII, as a parameter of SMTP has it: xtext, RFC 3461
// section 4.
func AppendXtext(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c > ' ' && c <= '~' && c != '+' && c != '=' {
			b = append(b, c)
		} else {
			b = append(b, '+', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}

// AppendAddrXtext appends an address of any script where there is only ASCII:
// utf-8-addr-xtext, RFC 6533 section 3.
func AppendAddrXtext(b []byte, s string) []byte {
	for _, r := range s {
		if r > ' ' && r <= '~' && r != '+' && r != '=' && r != '\\' {
			b = utf8.AppendRune(b, r)
			continue
		}
		b = append(b, `\x{`...)
		if r < 0x10 {
			b = append(b, '0')
		}
		b = append(b, strings.ToUpper(strconv.FormatInt(int64(r), 16))...)
		b = append(b, '}')
	}
	return b
}

// AppendOriginal appends an original recipient, TYPE;ADDRESS, as ORCPT has it.
func AppendOriginal(b []byte, original string) []byte {
	kind, address, _ := strings.Cut(original, ";")
	b = append(append(b, kind...), ';')
	if kind == "utf-8" {
		return AppendAddrXtext(b, address)
	}
	return AppendXtext(b, address)
}
