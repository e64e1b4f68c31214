package returns

import (
	"bufio"
	"bytes"
	"iter"
	"mime"
	"slices"
	"strings"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/textproto"

	"notices/spool"
	"notices/spool/printable"
)

// header is of a message, of a part, or a block of a delivery status. It has only the fields that
// somebody here asks for.
type header struct{ message.Header }

// Bounds of a header: of the fields that are kept, how many, and octets.
const (
	maxFields = 300
	maxHeader = 64 << 10
)

// kept are the fields that a header keeps, in lower case.
func kept(name []byte) bool {
	switch strings.ToLower(string(name)) {
	case "content-type", "content-transfer-encoding", "from", "to", "sender", "subject", "date", "message-id",
		"in-reply-to", "references", "return-path", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to",
		"x-failed-recipients", "auto-submitted", "precedence", "x-autoreply", "x-autorespond", "list-id",
		// Of a delivery status.
		"original-envelope-id", "reporting-mta", "x-notices-queue-id", "x-original-message-id", "original-recipient", "final-recipient",
		"action", "status", "remote-mta", "diagnostic-code", "last-attempt-date":
		return true
	}
	return false
}

// splitHeader splits what begins with a header. It stops at a blank line, as it should be, or
// before a line that belongs to no header: returns are often damaged, and a blank line is missing.
func splitHeader(raw []byte) (h header, body []byte) {
	var fields bytes.Buffer
	keep, count := false, 0
	for len(raw) > 0 {
		line, rest := cutLine(raw)
		if len(line) == 0 {
			raw = rest
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			colon := bytes.IndexByte(line, ':')
			if colon <= 0 || !fieldName(bytes.TrimRight(line[:colon], " \t")) {
				break
			}
			if keep = kept(bytes.TrimRight(line[:colon], " \t")); keep {
				count++
			}
			if count > maxFields {
				break // of a delivery status, the rest is a block of its own
			}
		}
		if keep && fields.Len()+len(line) < maxHeader {
			fields.Write(line)
			fields.WriteByte('\n')
		}
		raw = rest
	}
	if fields.Len() > 0 {
		h.Header.Header, _ = textproto.ReadHeader(bufio.NewReaderSize(&fields, 512)) // it is well formed by now
	}
	return h, raw
}

func splitOnly(raw []byte) header {
	h, _ := splitHeader(bytes.TrimLeft(raw, "\r\n"))
	return h
}

// fieldName: RFC 5322 section 3.6.8.
func fieldName(name []byte) bool {
	return len(name) > 0 && len(name) < 80 && !bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' })
}

// cutLine is the first line, without its end, and the rest.
func cutLine(raw []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(raw, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// splitParts yields the parts of a multipart body (RFC 2046 section 5.1.1). go-message does that,
// too, and ends at the first part that is damaged; here every boundary begins a part.
func splitParts(body []byte, boundary string) iter.Seq[[]byte] {
	delimiter := []byte("--" + boundary)
	return func(yield func([]byte) bool) {
		begin := -1 // of the part, in body
		for at := 0; at < len(body); {
			line, rest := cutLine(body[at:])
			next := len(body) - len(rest)
			if end, ok := bytes.CutPrefix(line, delimiter); ok && len(bytes.Trim(end, "- \t")) == 0 {
				if begin >= 0 && !yield(body[begin:at]) || bytes.HasPrefix(end, []byte("--")) {
					return
				}
				begin = next
			}
			at = next
		}
		if begin >= 0 && begin < len(body) {
			yield(body[begin:])
		}
	}
}

func (h header) empty() bool { return h.Len() == 0 }

// get is a field as one printable line, or empty. Encoded words (RFC 2047) are decoded.
func (h header) get(name string) string {
	text, _ := h.Text(name)
	return printable.Cut(printable.Line(latin1(text)), maxHeader)
}

// mediaType is that of a part, in lower case. Of a Content-Type that breaks the rules it is what
// stands before the first semicolon, and the boundary is what looks like one.
func (h header) mediaType() (string, map[string]string) {
	value := h.Get("Content-Type")
	if value == "" {
		return "text/plain", nil
	}
	if kind, params, err := mime.ParseMediaType(value); err == nil {
		return kind, params
	}
	kind, rest, _ := strings.Cut(value, ";")
	params := map[string]string{}
	const name = "boundary="
	for at := range len(rest) - len(name) + 1 {
		if strings.EqualFold(rest[at:at+len(name)], name) {
			boundary, _, _ := strings.Cut(strings.TrimLeft(rest[at+len(name):], `"`), `"`)
			params["boundary"], _, _ = strings.Cut(boundary, ";")
			break
		}
	}
	return strings.ToLower(strings.TrimSpace(kind)), params
}

// messageIDs are the message ids, with < >, in those fields; the last ones of a long list.
func (h header) messageIDs(names ...string) []string {
	var ids []string
	for _, name := range names {
		for rest := h.get(name); ; {
			_, after, found := strings.Cut(rest, "<")
			id, more, closed := strings.Cut(after, ">")
			if !found || !closed {
				break
			}
			if id = "<" + id + ">"; len(id) < 1000 && !strings.Contains(id, " ") && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
			rest = more
		}
	}
	return ids[max(0, len(ids)-maxIDs):]
}

// addresses are the addresses in those fields.
func (h header) addresses(names ...string) []string {
	var found []string
	for _, name := range names {
		for fields := h.FieldsByKey(name); fields.Next() && len(found) < maxIDs; {
			for word := range strings.FieldsFuncSeq(latin1(fields.Value()), separates) {
				if word = strings.Trim(word, `<>"'`); len(found) < maxIDs && spool.CheckAddress(word) == nil {
					found = append(found, word)
				}
			}
		}
	}
	return found
}

// separates: an address has neither of them outside quotes, and where it has quotes it is not ours.
func separates(r rune) bool { return strings.ContainsRune(" \t\r\n,;<>()", r) }

// autoReply recognizes the reply of a program that answers for a person: RFC 3834, and what was
// used before it.
func (h header) autoReply() bool {
	return h.vacation() || strings.HasPrefix(strings.ToLower(h.get("Auto-Submitted")), "auto-replied") ||
		h.Has("X-Autoreply") || h.Has("X-Autorespond") || strings.EqualFold(h.get("Precedence"), "auto_reply")
}

// vacation recognizes the reply of a person who is away, whoever sends it. Mail systems call their
// returns auto-replied, too, so that alone does not tell.
func (h header) vacation() bool {
	return strings.Contains(strings.ToLower(h.get("Auto-Submitted")), "vacation") ||
		startsWithAny(strings.ToLower(h.get("Subject")), "automatic reply", "autoreply", "auto reply", "out of office", "abwesenheit", "automatische antwort")
}

func startsWithAny(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
