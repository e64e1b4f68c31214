package returns

import (
	"bytes"
	"cmp"
	"net/mail"
	"strconv"
	"strings"
	"unicode/utf8"

	"notices/spool"
	"notices/spool/printable"
)

// statuses is what the delivery status parts of a message say: RFC 3464 section 2.
type statuses struct {
	reportingMTA string
	envelopeID   string
	queueID      spool.ID
	messageIDs   []string // Gmail's, where the message itself does not come back
	recipients   []Recipient
}

// take reads a delivery status part. Its first fields may stand in the part's own header, where the
// blank line between them is missing. Blocks are told apart by what they hold rather than by blank
// lines, since those are missing, or are too many.
func (s *statuses) take(own header, body []byte) {
	s.block(own)
	for rest := body; len(rest) > 0 && len(s.recipients) <= maxRecipients; {
		if rest = bytes.TrimLeft(rest, "\r\n"); len(rest) == 0 {
			return
		}
		h, after := splitHeader(rest)
		s.block(h)
		if len(after) == len(rest) {
			_, after = cutLine(rest) // a line that belongs to no header
		}
		rest = after
	}
}

// block reads the fields of one block.
func (s *statuses) block(h header) {
	if h.empty() {
		return
	}
	s.reportingMTA = cmp.Or(s.reportingMTA, hostName(h.get("Reporting-Mta")))
	s.envelopeID = cmp.Or(s.envelopeID, printable.Cut(h.get("Original-Envelope-Id"), 500))
	if id := spool.ID(h.get("X-Notices-Queue-Id")); id.Valid() && s.queueID == "" {
		s.queueID = id
	}
	s.messageIDs = append(s.messageIDs, h.messageIDs("X-Original-Message-Id")...)
	s.messageIDs = s.messageIDs[:min(len(s.messageIDs), maxIDs)]
	var current Recipient
	named := false
	for fields := h.Fields(); fields.Next(); {
		name, value := fields.Key(), fields.Value()
		final, original := name == "Final-Recipient", name == "Original-Recipient"
		if final && current.Final != "" || original && current.Original != "" {
			s.add(current) // no blank line before the next recipient
			current, named = Recipient{}, false
		}
		named = named || final || original
		current.set(name, value)
	}
	switch last := len(s.recipients) - 1; {
	case named:
		s.add(current)
	case last >= 0:
		s.recipients[last].merge(current) // a blank line inside a block
	}
}

func (s *statuses) add(r Recipient) {
	if r.Final != "" || r.Original != "" {
		s.recipients = append(s.recipients, r)
	}
}

// set takes a field of a recipient's block, RFC 3464 section 2.3.
func (r *Recipient) set(name, value string) {
	line := printable.Line(latin1(value))
	switch name {
	case "Final-Recipient":
		r.Final = typedAddress(line)
	case "Original-Recipient":
		r.Original = typedAddress(line)
	case "Action":
		r.Kind = actionKind(line)
	case "Status":
		r.Status = leadingStatus(line)
	case "Remote-Mta":
		r.RemoteMTA = hostName(line)
	case "Diagnostic-Code":
		r.Text = line // until finish, when the status is known
	case "Last-Attempt-Date":
		if at, err := mail.ParseDate(value); err == nil {
			r.At = at.UTC()
		}
	}
}

// merge fills in what is missing.
func (r *Recipient) merge(more Recipient) {
	r.Kind, r.Status, r.Text = cmp.Or(r.Kind, more.Kind), cmp.Or(r.Status, more.Status), cmp.Or(r.Text, more.Text)
	r.RemoteMTA = cmp.Or(r.RemoteMTA, more.RemoteMTA)
	if r.At.IsZero() {
		r.At = more.At
	}
}

// finish makes sense of each recipient when all its fields are known. One that has neither action
// nor status is left out, because nobody says that it failed.
func (s *statuses) finish() {
	good := s.recipients[:0]
	for _, r := range s.recipients[:min(len(s.recipients), maxRecipients)] {
		if kind, words, ok := strings.Cut(r.Text, ";"); ok && !strings.Contains(kind, " ") {
			r.Text = strings.TrimSpace(words)
		}
		r.setReply(r.Text)
		if r.Kind == "" {
			r.Kind = statusKind(r.Status)
		}
		if r.Kind != "" {
			good = append(good, r)
		}
	}
	s.recipients = good
}

// actionKind reads Action, which some programs follow by a comment. "error" is OpenSMTPD's.
func actionKind(action string) Kind {
	switch action = strings.ToLower(action); {
	case startsWithAny(action, "fail", "error", "undeliver"):
		return Failed
	case startsWithAny(action, "delay", "deferred"):
		return Delayed
	case startsWithAny(action, "delivered", "relayed", "expanded"):
		return Succeeded
	}
	return ""
}

// statusKind is for a block without Action.
func statusKind(status string) Kind {
	switch {
	case strings.HasPrefix(status, "5"):
		return Failed
	case strings.HasPrefix(status, "4"):
		return Delayed
	case strings.HasPrefix(status, "2"):
		return Succeeded
	}
	return ""
}

// typedAddress reads `rfc822; ann@example.net`, also with < > and without the type, and
// `utf-8; \x{F6}@example.net` (RFC 6533 section 3). What is no address of Internet mail gives "".
func typedAddress(value string) string {
	kind, address, ok := strings.Cut(value, ";")
	if !ok {
		kind, address = "", value
	}
	address = strings.TrimSpace(address)
	if open := strings.LastIndexByte(address, '<'); open >= 0 {
		address, _, _ = strings.Cut(address[open+1:], ">")
	}
	address, _, _ = strings.Cut(address, " (") // a comment
	if strings.EqualFold(strings.TrimSpace(kind), "utf-8") || strings.Contains(address, `\x{`) {
		address = fromAddrXtext(address)
	}
	if spool.CheckAddress(address) != nil {
		return ""
	}
	return address
}

// fromAddrXtext undoes spool.AppendAddrXtext. What is malformed stays.
func fromAddrXtext(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\x{`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		digits, rest, closed := strings.Cut(after, "}")
		r, err := strconv.ParseUint(digits, 16, 32)
		if !closed || err != nil || !utf8.ValidRune(rune(r)) {
			b.WriteString(`\x{`)
			s = after
			continue
		}
		b.WriteRune(rune(r))
		s = rest
	}
}

// fromXtext undoes spool.AppendXtext, RFC 3461 section 4; empty: it is malformed.
func fromXtext(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '+' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return ""
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return ""
		}
		b = append(b, byte(c))
		i += 2
	}
	return string(b)
}
