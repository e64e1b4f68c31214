package mbox

import (
	"bytes"
	"strings"

	"notices/spool/recode"
)

// maxAhead is how far a "From " line and the header behind it are looked at, in octets.
const maxAhead = 8 << 10

// IsFromLine recognizes the "From " line of an mbox, quoted or not.
func IsFromLine(line []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) && !isField(line)
}

// maybeFrom recognizes a "From " line as any program may write it: in upper or lower case,
// with a tab, with nothing behind it.
func maybeFrom(line []byte) bool {
	return len(line) >= 5 && bytes.EqualFold(line[:4], []byte("From")) && (line[4] == ' ' || line[4] == '\t') && !isField(line)
}

// IsDated reports whether a "From " line has a date: a month, a time of day and a year as
// asctime(3) and mail write them, in any order, or a date of ISO 8601.
func IsDated(line []byte) bool {
	var month, clock, year bool
	for field := range bytes.FieldsSeq(line) {
		word := strings.Trim(string(field[:min(len(field), 32)]), ",;()")
		if day, hour, ok := strings.Cut(word, "T"); ok && matches(day, "0000-00-00") {
			return len(hour) >= 5 && matches(hour[:5], "00:00")
		}
		month = month || len(word) == 3 && strings.Contains("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", word) || matches(word, "0000-00-00")
		clock = clock || matches(word, "00:00") || matches(word, "0:00") || matches(word, "00:00:00") || matches(word, "0:00:00")
		year = year || matches(word, "0000") || matches(word, "0000-00-00")
	}
	return month && clock && year
}

// matches reports whether word has the form of pattern, in which 0 stands for a digit.
func matches(word, pattern string) bool {
	return len(word) == len(pattern) && pattern == strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '0'
		}
		return r
	}, word)
}

// beginsHeader reports whether a header seems to begin there: with a field such as mail has,
// or with two fields.
func beginsHeader(ahead []byte) bool {
	fields, knownFirst, _, _ := lookAhead(ahead)
	return knownFirst || fields > 1
}

// isHeader reports whether the header of a message begins there: with nothing but fields, one
// of them such as mail has.
func isHeader(ahead []byte) bool {
	_, _, known, whole := lookAhead(ahead)
	return known && whole
}

// lookAhead counts the fields that come next, behind more "From " lines. known and knownFirst:
// one of them, and the first, is such as mail has. whole: nothing else stands before an empty
// line, another "From " line, or as far as is looked ahead.
func lookAhead(ahead []byte) (fields int, knownFirst, known, whole bool) {
	whole = true
	for more := 8; len(ahead) > 0; {
		line, rest, ended := bytes.Cut(ahead, lf)
		ahead, line = rest, bytes.TrimRight(line, "\r")
		name, _, isField := recode.CutField(line)
		unquoted := bytes.TrimLeft(line, ">")
		switch {
		case len(line) == 0, fields > 0 && bytes.HasPrefix(line, []byte("From ")):
			return fields, knownFirst, known, whole // the next message begins, without a text before it
		case fields == 0 && more > 0 && maybeFrom(unquoted):
			more--
			whole = whole && bytes.HasPrefix(unquoted, []byte("From "))
		case fields > 0 && (line[0] == ' ' || line[0] == '\t'):
		case isField && (fields == 0 || ended):
			known = known || IsMailField(string(name))
			knownFirst = knownFirst || fields == 0 && known
			fields++
		case isField:
			fields++ // its name may be cut off
		default:
			return fields, knownFirst, known, whole && fields > 0 && !ended
		}
	}
	return fields, knownFirst, known, whole
}

// isField reports whether a header field begins in the line.
func isField(line []byte) bool {
	_, _, ok := recode.CutField(line)
	return ok
}

// mailFields are fields such as mail has, mailPrefixes what the names of others begin with.
var (
	mailFields = []string{
		"From", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "Received", "Return-Path", "Reply-To", "Sender", "MIME-Version", "Delivered-To",
		"Envelope-To", "DKIM-Signature", "References", "In-Reply-To", "Status", "Importance", "Priority", "Precedence", "Auto-Submitted",
		"Authentication-Results", "Apparently-To", "Errors-To", "Mailing-List", "Organization", "User-Agent", "Lines",
	}
	mailPrefixes = []string{"X-", "Content-", "Resent-", "List-", "ARC-"}
)

// IsMailField reports whether a header field of that name is one that mail has.
func IsMailField(name string) bool {
	for _, field := range mailFields {
		if strings.EqualFold(name, field) {
			return true
		}
	}
	for _, prefix := range mailPrefixes {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// SecondMessage looks for another message behind one that began with the "From " line of an
// mbox, while the body of that one is read.
type SecondMessage struct {
	Line int // lines read so far

	start []byte // of the line that is not complete yet
	from  bool   // a "From " line with a date came before it
}

// Found takes the next piece of the body, and reports whether another message begins in it,
// in which line Line says.
func (s *SecondMessage) Found(piece []byte) bool {
	for line := range bytes.Lines(piece) {
		s.start = append(s.start, line[:min(len(line), max(0, 512-len(s.start)))]...)
		if name, _, ok := recode.CutField(s.start); s.from && ok && IsMailField(string(name)) {
			return true
		}
		if line[len(line)-1] != '\n' {
			break
		}
		s.Line++
		s.from = bytes.HasPrefix(s.start, []byte("From ")) && IsDated(s.start) || s.from && maybeFrom(s.start)
		s.start = s.start[:0]
	}
	return false
}
