package intake

import (
	"bytes"
	"strings"
	"unicode"

	"notices/spool/recode"
)

// maxAhead is how far a "From " line and the header behind it are looked at, in octets.
const maxAhead = 8 << 10

// fromLine looks at the line that comes, and at what is behind it.
func (m *Mbox) fromLine() (line, behind []byte) {
	ahead, _ := m.r.Peek(maxAhead)
	line, behind, _ = bytes.Cut(ahead, []byte("\n"))
	return bytes.TrimRight(line, "\r"), behind
}

// Reasons to doubt a line.
const (
	noHeader = "has a date like the beginning of a message, but no header behind it"
	noDate   = "has a header behind it like the beginning of a message, but no date as separators have it"
	inParts  = "begins a message or stands within an attachment: the parts that began before it go on behind it"
)

// judge decides whether a "From " line separates. why: it may be text.
func (m *Mbox) judge(line, behind []byte) (separates bool, why string) {
	exact := bytes.HasPrefix(line, []byte("From "))
	dated := exact && isDated(line)
	switch {
	case m.how == SeparatorAny && dated && !beginsHeader(behind):
		return false, noHeader
	case m.how == SeparatorAny:
		return dated, ""
	case m.how == SeparatorBlank:
		return exact && m.empty && isHeader(behind), ""
	case dated && isHeader(behind):
		return true, ""
	case dated && m.how != separatorSeen:
		return false, noHeader
	case beginsHeader(behind):
		return false, noDate
	}
	return false, ""
}

// maybeFrom reports whether a line is a "From " line of whatever writer: of any case, with a
// tab, with nothing behind it.
func maybeFrom(line []byte) bool {
	return len(line) >= 5 && bytes.EqualFold(line[:4], []byte("From")) && (line[4] == ' ' || line[4] == '\t') && colonOf(line) < 0
}

// beginsHeader reports whether a header seems to begin there: with a field such as mail has,
// or with two fields. More "From " lines may stand before it.
func beginsHeader(ahead []byte) bool {
	for fields, more := 0, 8; ; {
		line, rest, ended := bytes.Cut(ahead, []byte("\n"))
		colon := colonOf(line)
		switch {
		case fields == 0 && ended && more > 0 && maybeFrom(bytes.TrimLeft(line, ">")):
			more--
		case fields > 0 && len(line) > 0 && (line[0] == ' ' || line[0] == '\t'):
		case colon < 0:
			return false
		case isMailField(string(line[:colon])), fields == 1:
			return true
		default:
			fields++
		}
		if ahead = rest; !ended {
			return false
		}
	}
}

func doubtful(number int, line []byte, why string) error {
	return badMessage("line %d of the mbox, %s, %s. Nothing of this file was queued. If it is text, write >From there, or say --mbox separator=blank "+
		"when all messages begin after an empty line; if a message begins there, say --mbox separator=any when each has a date", number, quote(string(line)), why)
}

// isDated reports whether a "From " line has a date: a month, a time of day and a year as
// asctime(3) and mail write them, in any order, or one of ISO 8601.
func isDated(line []byte) bool {
	var month, clock, year bool
	for field := range bytes.FieldsSeq(line) {
		word := string(field[:min(len(field), 32)])
		word = strings.Trim(word, ",;()")
		if day, hour, ok := strings.Cut(word, "T"); ok && digits(day, "0000-00-00") {
			return len(hour) >= 5 && digits(hour[:5], "00:00")
		}
		month = month || oneOf(word, "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec") || digits(word, "0000-00-00")
		clock = clock || digits(word, "00:00") || digits(word, "0:00") || digits(word, "00:00:00") || digits(word, "0:00:00")
		year = year || digits(word, "0000") || digits(word, "0000-00-00")
	}
	return month && clock && year
}

// isHeader reports whether the header of a message begins there: nothing but fields up to
// an empty line, or as far as is looked ahead, and one of them such as mail has. More "From "
// lines may stand before it.
func isHeader(ahead []byte) bool {
	known, fields, more := false, 0, 8
	for len(ahead) > 0 {
		line, rest, ended := bytes.Cut(ahead, []byte("\n"))
		if !ended && fields > 0 {
			return known // cut off, or the last one
		}
		ahead, line = rest, bytes.TrimRight(line, "\r")
		switch {
		case len(line) == 0, fields > 0 && bytes.HasPrefix(line, []byte("From ")):
			return known // with no text, the next message
		case fields == 0 && more > 0 && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")):
			more--
		case fields > 0 && (line[0] == ' ' || line[0] == '\t'):
		case colonOf(line) > 0:
			fields++
			known = known || isMailField(string(line[:colonOf(line)]))
		default:
			return false
		}
	}
	return known
}

// mailFields are fields such as mail has, and what the names of others begin with.
var (
	mailFields = strings.Fields(`From To Cc Bcc Subject Date Message-ID Received Return-Path Reply-To Sender MIME-Version
		Delivered-To Envelope-To DKIM-Signature References In-Reply-To Status Importance Priority Precedence Auto-Submitted
		Authentication-Results Apparently-To Errors-To Mailing-List Organization User-Agent Lines`)
	mailPrefixes = strings.Fields("X- Content- Resent- List- ARC-")
)

func isMailField(name string) bool {
	name = strings.TrimRight(name, " \t")
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

// mboxParts knows of the message at hand whether it is a multipart that is not closed yet. A
// separator within one may be a line of a message that is attached: if parts of the
// same multipart follow, it was.
type mboxParts struct {
	header   bool   // still there
	field    []byte // a Content-Type in it
	boundary string // between the parts, until they are closed
	suspect  struct {
		boundary string
		line     []byte
		number   int
	}
}

func (p *mboxParts) begin() { p.header, p.boundary, p.field = true, "", p.field[:0] }

// end takes note of the separator behind the message.
func (p *mboxParts) end(number int, line []byte) {
	if p.boundary != "" {
		p.suspect.boundary, p.suspect.line, p.suspect.number = p.boundary, bytes.Clone(line), number
	}
}

func (p *mboxParts) doubt() error {
	return doubtful(p.suspect.number, p.suspect.line, inParts)
}

// line takes a line, or its beginning; an empty one is nil. It reports whether the suspect
// stands within an attachment.
func (p *mboxParts) line(line []byte) bool {
	if p.header {
		p.headerLine(line)
		return false
	}
	if !bytes.HasPrefix(line, []byte("--")) {
		return false
	}
	delimiter := strings.TrimRightFunc(string(line[2:]), unicode.IsSpace)
	name := strings.TrimSuffix(delimiter, "--")
	if b := p.boundary; b != "" && delimiter == b+"--" {
		p.boundary = ""
		return false
	}
	b := p.suspect.boundary
	return b != "" && b != p.boundary && (delimiter == b || name == b)
}

// headerLine looks for the boundary.
func (p *mboxParts) headerLine(line []byte) {
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		if len(p.field) > 0 && len(p.field) < maxAhead {
			p.field = append(p.field, line...)
		}
		return
	}
	if _, value, ok := bytes.Cut(p.field, []byte(":")); ok {
		p.boundary = recode.Boundary(strings.NewReplacer("\r", "", "\n", "").Replace(string(value)))
		if p.boundary == p.suspect.boundary {
			p.suspect.boundary = "" // this message has such parts itself
		}
	}
	p.field, p.header = p.field[:0], len(line) > 0
	if colon := colonOf(line); colon > 0 && strings.EqualFold(strings.TrimRight(string(line[:colon]), " \t"), "Content-Type") {
		p.field = append(p.field, line...)
	}
}

func oneOf(word, words string) bool {
	return len(word) == 3 && strings.Contains(words, word)
}

// digits reports whether word has the form of pattern, a digit for each 0.
func digits(word, pattern string) bool {
	if len(word) != len(pattern) {
		return false
	}
	for i := range len(pattern) {
		if digit := word[i] >= '0' && word[i] <= '9'; pattern[i] == '0' && !digit || pattern[i] != '0' && word[i] != pattern[i] {
			return false
		}
	}
	return true
}

// secondMessage looks for another message behind one that began with the "From " line of an
// mbox, while its body is read.
type secondMessage struct {
	next  func([]byte) error
	lines int
	line  []byte // the beginning of the one that is not complete yet
	from  bool   // a "From " line with a date came before it
}

func (s *secondMessage) add(p []byte) error {
	for line := range bytes.Lines(p) {
		s.line = append(s.line, line[:min(len(line), max(0, 512-len(s.line)))]...)
		colon := colonOf(s.line)
		if s.from && colon > 0 && isMailField(string(s.line[:colon])) {
			return errSecond(s.lines)
		}
		if line[len(line)-1] != '\n' {
			break
		}
		s.lines++
		s.from = bytes.HasPrefix(s.line, []byte("From ")) && isDated(s.line) || s.from && maybeFrom(s.line)
		s.line = s.line[:0]
	}
	return s.next(p)
}
