package returns

import (
	"cmp"
	"slices"
	"strings"
)

// phrase begins the recipients of a return that is written for people. The phrases of a program
// are few and do not change for decades. They are compared in lower case, with single blanks, and
// may stand anywhere in a line.
type phrase struct {
	form  string // the program, for Return.Form
	words string
	// then: the recipient stands in the same line, between words and then.
	then string
	kind Kind
	// bracketed: the recipients stand in < >, at the beginning of a line and with a colon behind.
	bracketed bool
}

// phrases are tried in order.
var phrases = [...]phrase{
	{form: "exim", words: "the following address(es) failed:", kind: Failed},
	{form: "exim", words: "the following address failed:", kind: Failed},   // GMX
	{form: "exim", words: "the following addresses failed:", kind: Failed}, // IONOS
	{form: "exim", words: "could not be delivered to one or more of its", kind: Failed},
	{form: "exim", words: "has not yet been delivered to one or more of its", kind: Delayed},
	{form: "exim", words: "to which the message has not yet been delivered", kind: Delayed},
	{form: "exim", words: "has not yet been delivered to the following address", kind: Delayed}, // IONOS
	{form: "qmail", words: "hi. this is the", kind: Failed, bracketed: true},                    // QSBMF
	{form: "yahoo", words: "we were unable to deliver your message to the following address", kind: Failed, bracketed: true},
	{form: "qmail", words: "deliver your message to the following address", kind: Failed, bracketed: true},
	{form: "qmail", words: "your mail message to the following address", kind: Failed, bracketed: true},
	{form: "qmail", words: "your mail was not delivered to the following address", kind: Failed, bracketed: true},
	{form: "qmail", words: "we're sorry. there's a problem", kind: Failed, bracketed: true},
	{form: "yahoo", words: "unable to deliver message to the following address", kind: Failed, bracketed: true},
	{form: "postfix", words: "this is the mail system at host", kind: Failed, bracketed: true},
	{form: "postfix", words: "be delivered to one or more destinations", kind: Failed, bracketed: true},
	{form: "postfix", words: "be delivered to one or more recipients", kind: Failed, bracketed: true},
	{form: "postfix", words: "this is a warning only. you do not need to resend", kind: Delayed, bracketed: true},
	{form: "sendmail", words: "addresses had permanent fatal errors", kind: Failed},
	{form: "sendmail", words: "addresses had transient non-fatal errors", kind: Delayed},
	{form: "gmail", words: "delivery to the following recipient failed", kind: Failed},
	{form: "exchange", words: "delivery to the following recipients failed", kind: Failed}, // and Gmail
	{form: "gmail", words: "delivery to the following recipient has been delayed", kind: Delayed},
	{form: "gmail", words: "your message wasn't delivered to ", then: " because", kind: Failed},
	{form: "gmail", words: "there was a problem delivering your message to ", then: ". ", kind: Failed},
	{form: "gmail", words: "there was a temporary problem delivering your message to ", then: ". ", kind: Delayed},
	{form: "exchange", words: "your message to ", then: " couldn't be delivered", kind: Failed}, // Microsoft 365
	{form: "exchange", words: "your message to ", then: " has been blocked", kind: Failed},
	{form: "exchange", words: "delivery has failed to these recipients", kind: Failed},
	{form: "exchange", words: "delivery is delayed to these recipients", kind: Delayed},
	{form: "exchange", words: "did not reach the following recipient(s)", kind: Failed}, // up to 5.5
	{form: "exchange", words: "the following recipient(s) could not be reached", kind: Failed},
	{form: "exchange", words: "the following recipient(s) cannot be reached", kind: Failed},
	{form: "dovecot", words: "your message to ", then: " was automatically rejected", kind: Failed}, // a disposition notification
	{form: "domino", words: "was not delivered to:", kind: Failed},
	{form: "opensmtpd", words: "an error has occurred while attempting to deliver a message", kind: Failed},
	{form: "opensmtpd", words: "a message is delayed for more than", kind: Delayed},
	{form: "ses", words: "an error occurred while trying to deliver the mail to the following recipients", kind: Failed},
	{form: "groupwise", words: "that you sent was undeliverable to the following", kind: Failed},
	{form: "other", words: "message could not be delivered to the following", kind: Failed},
	{form: "other", words: "deliver message to the following recipient", kind: Failed},
}

// stillTried are phrases of a warning, whatever else it says.
var stillTried = [...]string{
	"delivery attempts will continue", "delivery will continue to be attempted", "will keep trying", "will be retried", "will retry for",
	"do not need to resend", "do not resend",
}

// listEnds are phrases behind which no recipients follow, but perhaps the reply of the server.
var listEnds = [...]string{"transcript of session follows", "original message details"}

// copyBegins are phrases behind which the message stands that is returned. Nothing of it may get
// among the words that are kept: what a patron reads is hers.
var copyBegins = [...]string{
	"below this line is a copy of the message", "this is a copy of the message", "this is a copy of your message",
	"original message follows", "message header follows", "original message headers:", "- original message -",
	"the header of the original message",
}

// copied reports whether the message that is returned begins with that line or behind it; first
// says which.
func copied(plain string) (begins, first bool) {
	first = startsWithAny(plain, "return-path:", "received: from", "message-id:", "dkim-signature:", "mime-version:")
	return first || containsAny(plain, copyBegins[:]), first
}

// Bounds of words.
const (
	maxWords = 8 << 10 // octets kept of what is said about a recipient
	maxNamed = 1000    // recipients
)

// readForms recognizes a return that has no delivery status part. It has to come from a mail system.
func (f *found) readForms(r *Return) bool {
	if !f.fromMailSystem() {
		return false
	}
	named := f.header.addresses("X-Failed-Recipients") // Exim, Gmail and others
	for _, text := range []string{f.text, f.html} {
		s := scan{}
		s.read(text)
		for _, address := range named {
			s.recipient(address)
		}
		if len(s.list) == 0 {
			continue
		}
		r.Form, r.Recipients = cmp.Or(s.form, "x-failed-recipients"), s.finish(f.header)
		if s.form == "" { // words in another language, perhaps
			said, _ := failures(text)
			for i := range r.Recipients {
				r.Recipients[i].adopt(said)
			}
		}
		f.returned(splitOnly([]byte(s.copied)))
		return true
	}
	return false
}

// fromMailSystem reports whether a message has a sign of a mail system: its sender, or the null
// return path that returns have to have, or the form of a report.
func (f *found) fromMailSystem() bool {
	if f.fromDaemon() || f.header.Has("List-Id") {
		return f.fromDaemon()
	}
	answers := startsWithAny(strings.ToLower(f.header.get("Subject")), "re:", "aw:") // of a program, for a person
	return f.report || strings.TrimSpace(f.header.Get("Return-Path")) == "<>" && !answers
}

// fromDaemon reports whether From names a mail system. A postmaster may also be a person who writes
// to a mailing list.
func (f *found) fromDaemon() bool {
	from := strings.ToLower(f.header.get("From"))
	return containsAny(from, []string{"mailer-daemon", "mailer daemon", "mdaemon", "mail delivery s", "microsoftexchange", "system administrator"}) ||
		!f.header.Has("List-Id") && strings.Contains(from, "postmaster")
}

// scan reads words line by line.
type scan struct {
	form      string // of the first phrase
	phrase    *phrase
	warning   bool // stillTried
	ended     bool // no more recipients are named
	indent    int  // of the recipients
	list      []*named
	current   int // in list
	unrelated strings.Builder
	copied    string
}

// named is a recipient and what is said about it. A blank line in it stays one.
type named struct {
	address string
	kind    Kind
	words   strings.Builder
}

func (s *scan) read(text string) {
	before := "" // the last line: a phrase may go over two
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		plain := strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(line, "’", "'")), " "))
		if begins, first := copied(plain); begins {
			s.copied = rest
			if first {
				s.copied = text
			}
			return
		}
		p, address := findPhrase(plain)
		if p == nil && before != "" {
			p, address = findPhrase(before + " " + plain)
		}
		before, text = plain, rest
		s.warning = s.warning || containsAny(plain, stillTried[:])
		switch {
		case p != nil:
			before = ""
			s.begin(p, address)
		case s.phrase != nil && !startsWithAny(plain, "subject:", "betreff:"): // a subject is not kept
			s.ended = s.ended || containsAny(plain, listEnds[:])
			s.line(strings.TrimRight(line, " \t\r"))
		}
	}
}

func findPhrase(line string) (*phrase, string) {
	for i := range phrases {
		p := &phrases[i]
		_, after, found := strings.Cut(line, p.words)
		if !found {
			continue
		}
		if p.then == "" {
			return p, ""
		}
		if address, _, ok := strings.Cut(after+" ", p.then); ok {
			if address = asAddress(address); address != "" {
				return p, address
			}
		}
	}
	return nil, ""
}

func (s *scan) begin(p *phrase, address string) {
	if s.form == "" {
		s.form = p.form
	}
	s.phrase, s.ended, s.indent = p, false, -1
	if address != "" {
		s.recipient(address)
	}
}

// recipient makes that one the current one.
func (s *scan) recipient(address string) {
	kind := Failed
	if s.phrase != nil {
		kind = s.phrase.kind
	}
	s.current = slices.IndexFunc(s.list, func(n *named) bool { return strings.EqualFold(n.address, address) })
	if s.current < 0 && len(s.list) < maxNamed {
		s.list = append(s.list, &named{address: address, kind: kind})
		s.current = len(s.list) - 1
	}
}

// line is one behind a phrase: it names a recipient, or says something about the last one.
func (s *scan) line(line string) {
	words := line
	if address, rest, indent := s.recipientIn(line); address != "" {
		s.recipient(address)
		s.indent, words = indent, rest
	}
	to := &s.unrelated
	if !s.ended && s.current < len(s.list) && s.current >= 0 {
		to = &s.list[s.current].words
	}
	if to.Len()+len(words) < maxWords {
		to.WriteString(strings.TrimSpace(words))
		to.WriteByte('\n')
	}
}

// recipientIn is the recipient that a line names, and what follows it. What the server said about one
// stands further to the right than the recipients.
func (s *scan) recipientIn(line string) (address, rest string, indent int) {
	start := strings.TrimLeft(line, " \t")
	if indent = len(line) - len(start); s.ended || start == "" || s.indent >= 0 && indent > s.indent {
		return "", "", 0
	}
	if len(s.list) == 0 { // Exim: an undisclosed address (generated from ann@example.net)
		if address, rest = expandedFrom(start); address != "" {
			return address, rest, indent
		}
	}
	if s.phrase.bracketed && (start[0] != '<' || !strings.Contains(start, ">:")) {
		return "", "", 0
	}
	for _, label := range [...]string{"* ", "• ", "Recipient:", "Failed Recipient:"} {
		start = strings.TrimSpace(strings.TrimPrefix(start, label))
	}
	first, rest, _ := strings.Cut(start, " ")
	if address = asAddress(first); address != "" {
		if strings.HasPrefix(rest, "on ") {
			rest = "" // Exchange: when
		}
		return address, rest, indent
	}
	if s.phrase.form != "exchange" {
		return "", "", 0
	}
	// Ann Reader (ann@example.net)
	if open := strings.LastIndexAny(start, "(<"); open > 0 && !strings.Contains(start, ":") && strings.ContainsAny(start[len(start)-1:], ")>") {
		return asAddress(start[open:]), "", indent
	}
	return "", "", 0
}

// asAddress is the address in < >, quotes or emphasis, with a colon or a comma behind; or empty.
func asAddress(word string) string {
	word = strings.TrimPrefix(strings.Trim(word, " \t<>[]\"'*():;,"), "SMTP:") // MailEnable
	if !strings.Contains(word, "@") {
		return ""
	}
	return typedAddress("rfc822;" + word)
}

// finish makes recipients of what was said about each. Where nothing was, the reply may stand
// further below.
func (s *scan) finish(h header) []Recipient {
	list := make([]Recipient, len(s.list))
	for i := range s.list {
		n := s.list[i]
		list[i] = Recipient{Final: n.address, Kind: n.kind}
		if s.warning && s.form != "sendmail" || s.phrase == nil && strings.Contains(strings.ToLower(h.get("Subject")), "delay") {
			list[i].Kind = Delayed // sendmail may tell of both in one message
		}
		original, words := expandedFrom(s.said(i))
		list[i].Original = original
		if code, _, _ := firstReply(words); code == 0 && len(s.list) == 1 {
			if code, _, _ = firstReply(s.unrelated.String()); code != 0 {
				words += "\n" + s.unrelated.String()
			}
		}
		list[i].RemoteMTA = remoteHost(words)
		list[i].setReply(paragraph(words))
	}
	return list
}

// said is what is said about a recipient. Of recipients one below the other, it stands below the last.
func (s *scan) said(i int) string {
	words := s.list[i].words.String()
	for i++; i < len(s.list) && strings.TrimSpace(words) == ""; i++ {
		words = s.list[i].words.String()
	}
	return words
}

// expandedFrom is the address that an alias or a forward was followed from, and the words without
// it; or empty.
func expandedFrom(words string) (address, rest string) {
	for _, before := range [...]string{"(expanded from", "(ultimately generated from", "(generated from"} {
		start, after, found := strings.Cut(words, before)
		from, end, closed := strings.Cut(after, ")")
		if found && closed {
			return asAddress(from), start + end
		}
	}
	return "", words
}

// paragraph is the part of the words that holds the reply of the server, from the reply on; or
// else the first that is no heading.
func paragraph(words string) string {
	code, status, rest := firstReply(words)
	_, fromStatus, found := strings.Cut(words, "\n"+status)
	switch {
	case code != 0:
		words = rest
		if len(rest) > 4 {
			words, _, _ = strings.Cut(rest, "\n"+rest[:4]) // the same again
		}
	case status != "" && found:
		words = status + fromStatus
	}
	words = strings.TrimSpace(words)
	for {
		first, next, more := strings.Cut(words, "\n\n")
		if !more || !strings.HasSuffix(first, ":") {
			words, _, _ = strings.Cut(first, "\nGiving up on ")     // qmail
			words, _, _ = strings.Cut(words, "\nDSN generated by:") // Microsoft 365
			return strings.Trim(words, "'\"")
		}
		words = strings.TrimSpace(next)
	}
}

// remoteHost is the host that words name before its reply, or empty.
func remoteHost(words string) string {
	for _, before := range []string{"host ", "host: ", "while talking to "} {
		if _, after, found := strings.Cut(words, before); found {
			name, _, _ := strings.Cut(strings.TrimLeft(after, " \n"), "\n")
			name, _, _ = strings.Cut(name, "[")
			if name = hostName(strings.TrimRight(name, ":")); strings.Contains(name, ".") {
				return name
			}
		}
	}
	return ""
}

func containsAny(s string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}
