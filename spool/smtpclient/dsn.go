package smtpclient

import (
	"strings"

	"notices/spool"
)

// dsn is what the sender asked for, to be handed on; nil: nothing, or the server offers no DSN.
func (s *send) dsn() *spool.DSNParams {
	if !s.c.offers.dsn {
		return nil
	}
	return s.t.DSN
}

// appendMailDSN adds the parameters of MAIL, RFC 3461 sections 4.3 and 4.4.
func (s *send) appendMailDSN(b []byte) []byte {
	a := s.dsn()
	if a == nil {
		return b
	}
	switch {
	case a.ReturnHeaders:
		b = append(b, " RET=HDRS"...)
	case a.ReturnFull:
		b = append(b, " RET=FULL"...)
	}
	if a.EnvelopeID != "" {
		b = spool.AppendXtext(append(b, " ENVID="...), a.EnvelopeID)
	}
	return b
}

// appendRcptDSN adds the parameters of RCPT, RFC 3461 sections 4.1 and 4.2. With NOTIFY
// goes ORCPT, so that a report names the address that the sender knows.
func (s *send) appendRcptDSN(b []byte, i int) []byte {
	a := s.dsn()
	if a == nil {
		return b
	}
	original := a.OriginalOf(i)
	if words := a.NotifyOf(i); words != "" {
		b = appendNotify(b, words)
		if original == "" {
			original = typed(s.t.Recipients[i])
		}
	}
	if original != "" {
		b = spool.AppendOriginal(append(b, " ORCPT="...), original)
	}
	return b
}

// appendNotify writes each word once, whatever an older program stored.
func appendNotify(b []byte, words string) []byte {
	b = append(b, " NOTIFY="...)
	start := len(b)
	for _, word := range [...]string{spool.Never, spool.OnSuccess, spool.OnFailure, spool.OnDelay} {
		if !spool.HasWord(words, word) {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(b, strings.ToUpper(word)...)
	}
	return b
}

// typed is an address as an original recipient.
func typed(address string) string {
	if ascii(address) {
		return "rfc822;" + address
	}
	return "utf-8;" + address
}

// markRelayed marks what was delivered and is ours to report, because this server does not.
func (s *send) markRelayed() {
	if s.t.DSN == nil || s.c.offers.dsn {
		return
	}
	for i := range s.outcomes {
		if s.outcomes[i].Class == spool.Delivered && s.t.DSN.Notifies(spool.OnSuccess, i) {
			s.outcomes[i].Reason = spool.ReasonRelayed
		}
	}
}
