package smtpclient

import (
	"strings"

	"notices/spool"
	"notices/spool/recode"
)

// appendMailDSN adds the parameters of MAIL, RFC 3461 sections 4.3 and 4.4.
func appendMailDSN(b []byte, t *Transaction, offered *capabilities) []byte {
	id := ""
	if p := t.DSN; p != nil {
		switch {
		case p.ReturnHeaders:
			b = append(b, " RET=HDRS"...)
		case p.ReturnFull:
			b = append(b, " RET=FULL"...)
		}
		id = p.EnvelopeID
	}
	if t.addsEnvelopeID(offered) {
		id = t.EnvelopeID
	}
	if id != "" {
		b = spool.AppendXtext(append(b, " ENVID="...), id)
	}
	return b
}

// addsEnvelopeID reports whether MAIL has an ENVID that the sender of the message did not ask for.
func (t *Transaction) addsEnvelopeID(offered *capabilities) bool {
	return offered.dsn && !offered.noEnvelopeID && t.EnvelopeID != "" && (t.DSN == nil || t.DSN.EnvelopeID == "")
}

// appendRcptDSN adds the parameters of RCPT for the ith recipient, RFC 3461 sections 4.1 and
// 4.2. With NOTIFY goes ORCPT, so that a report names the address that the sender knows.
func appendRcptDSN(b []byte, p *spool.DSNParams, i int, address string) []byte {
	original := p.OriginalOf(i)
	if words := p.NotifyOf(i); words != "" {
		b = appendNotify(b, words)
		if original == "" {
			original = "rfc822;" + address
			if recode.EightBit([]byte(address)) {
				original = "utf-8;" + address
			}
		}
	}
	if original != "" {
		b = spool.AppendOriginal(append(b, " ORCPT="...), original)
	}
	return b
}

// appendNotify writes each word once, whatever an older program stored.
func appendNotify(b []byte, words string) []byte {
	b = append(b, " NOTIFY"...)
	separator := byte('=')
	for _, word := range [...]string{spool.Never, spool.OnSuccess, spool.OnFailure, spool.OnDelay} {
		if spool.HasWord(words, word) {
			b = append(append(b, separator), strings.ToUpper(word)...)
			separator = ','
		}
	}
	return b
}

// markRelayed marks what was delivered and what we have to report, because the server offers no DSN.
func markRelayed(outcomes []spool.Outcome, p *spool.DSNParams) {
	for i := range outcomes {
		if p != nil && outcomes[i].Class == spool.Delivered && p.Notifies(spool.OnSuccess, i) {
			outcomes[i].Reason = spool.ReasonRelayed
		}
	}
}
