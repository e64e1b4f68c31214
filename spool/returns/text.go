package returns

import (
	"html"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"notices/spool"
	"notices/spool/printable"
	"notices/spool/smtpreply"
)

// latin1 makes UTF-8 of a text that is not: old programs write ISO 8859-1 and its relatives. What
// the rules look for is ASCII, so no other tables of characters are needed.
func latin1(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// toText is the beginning of a part that holds words.
func toText(h header, body []byte) string {
	return latin1(printable.Cut(string(decode(h, body)), maxText))
}

// fromHTML is the text of an HTML page: without its tags, with a line for each block.
func fromHTML(page string) string {
	var b strings.Builder
	laidOut := false // in <pre>
	for page != "" {
		text, rest, _ := strings.Cut(page, "<")
		text = html.UnescapeString(text)
		if !laidOut {
			text = singleBlanks(text)
		}
		b.WriteString(text)
		if comment, ok := strings.CutPrefix(rest, "!--"); ok {
			_, page, _ = strings.Cut(comment, "-->")
			continue
		}
		tag, after, _ := strings.Cut(rest, ">")
		page = after
		switch name, _, _ := strings.Cut(strings.ToLower(tag), " "); name {
		case "style", "script":
			_, page, _ = strings.Cut(after, "</")
			_, page, _ = strings.Cut(page, ">")
		case "pre", "/pre":
			laidOut = name == "pre"
			b.WriteByte('\n')
		case "br", "br/", "p", "/p", "div", "/div", "tr", "/tr", "td", "li", "hr", "h1", "/h1", "h2", "/h2", "h3", "/h3", "/title":
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// singleBlanks makes one blank of each white space.
func singleBlanks(s string) string {
	words := strings.Join(strings.Fields(s), " ")
	if words == "" {
		return words
	}
	if strings.ContainsAny(s[:1], " \t\r\n") {
		words = " " + words
	}
	if strings.ContainsAny(s[len(s)-1:], " \t\r\n") {
		words += " "
	}
	return words
}

// firstReply finds the reply of an SMTP server in words: "550 5.1.1 no such user", also behind
// other words, as "said: 550 ..." or "#5.1.1" have it. rest is the reply from there on, or all.
func firstReply(words string) (code int, status, rest string) {
	rest = words
	for i := range len(words) {
		if i > 0 && !strings.ContainsRune(" \t\n(<#'\":;=", rune(words[i-1])) {
			continue
		}
		n, tail := leadingCode(words[i:])
		s := leadingStatus(tail)
		if n != 0 && (s == "" && !amongWords(words[:i]) || s != "" && s[0] == words[i]) {
			return n, s, words[i:]
		}
		if s = leadingStatus(words[i:]); s != "" && status == "" {
			status = s // go on: a code may follow
		}
	}
	return 0, status, rest
}

// amongWords reports whether what follows is one of several words, such as the number in "a message
// of 450 octets".
func amongWords(before string) bool {
	word := strings.TrimRight(before, " ")
	last, _ := utf8.DecodeLastRuneInString(word)
	return word != before && (unicode.IsLetter(last) || unicode.IsDigit(last))
}

// leadingCode is the code that s begins with, 400 to 599, and what follows it.
func leadingCode(s string) (int, string) {
	if len(s) < 3 || s[0] != '4' && s[0] != '5' || s[1] > '5' || len(s) > 3 && s[3] != ' ' && s[3] != '-' && s[3] != '#' {
		return 0, s
	}
	code, err := strconv.Atoi(s[:3])
	if err != nil {
		return 0, s
	}
	return code, strings.TrimLeft(s[3:], " -#")
}

// leadingStatus is the enhanced status code (RFC 3463 section 2) that s begins with, or empty.
func leadingStatus(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(s)
	}
	status := strings.TrimRight(s[:end], ".")
	class, rest, _ := strings.Cut(status, ".")
	subject, detail, ok := strings.Cut(rest, ".")
	if class != "2" && class != "4" && class != "5" || !ok || !upTo3(subject) || !upTo3(detail) {
		return ""
	}
	return status
}

func upTo3(digits string) bool {
	return digits != "" && len(digits) <= 3 && strings.Trim(digits, "0123456789") == ""
}

// specific reports whether a status says more than that it failed.
func specific(status string) bool { return status != "" && !strings.HasSuffix(status, ".0.0") }

// setReply fills in what words of a server say: code, status where the report has no better one,
// and text.
func (r *Recipient) setReply(words string) {
	words = printable.Line(words)
	code, status, rest := firstReply(words)
	if code == 0 {
		rest = words
	}
	if !specific(r.Status) && (r.Status == "" || status != "" && status[0] == r.Status[0]) {
		r.Status = status
	}
	if detail := smtpreply.Detail(code, "", words); r.Status == "" && code == 0 && r.Kind != Succeeded && detail != "" {
		r.Status = "5." + detail // a program that never writes a code
	}
	r.Code = code
	r.Text = oneReply(code, status, rest)
}

// oneReply is the text of a reply without its codes, those of its further lines too, which were
// folded into one; bounded and printable as all replies are.
func oneReply(code int, status, words string) string {
	if code != 0 {
		number := strconv.Itoa(code)
		for _, again := range []string{number + "-" + status + " ", number + " " + status + " ", number + "-"} {
			words = strings.ReplaceAll(" "+words, " "+again, " ")
		}
		words = strings.TrimPrefix(strings.TrimSpace(words), number)
		words = strings.TrimLeft(words, " -#")
	}
	words = strings.TrimSpace(strings.TrimPrefix(words, status))
	j := smtpreply.Judge{Now: func() time.Time { return time.Time{} }}
	return j.Reply(code, "", []byte(words)).Text
}

// hostName is the host in a field such as `dns; mx.example.net (192.0.2.1)`, or empty.
func hostName(value string) string {
	if kind, name, ok := strings.Cut(value, ";"); ok && !strings.Contains(kind, " ") {
		value = name
	}
	name, _, _ := strings.Cut(strings.TrimSpace(value), " ")
	name = strings.TrimSuffix(strings.Trim(name, "<>[]()\""), ".")
	if len(name) > 255 || spool.CheckAddress("x@"+name) != nil {
		return ""
	}
	return name
}
