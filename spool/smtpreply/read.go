package smtpreply

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Bounds of a reply. RFC 5321 4.5.3.1.5 promises lines of 512 octets; real EHLO
// answers and policy texts are longer. What exceeds these bounds is not an SMTP server, and
// must not take memory.
const (
	MaxLine  = 4 << 10 // octets of a line; the buffer that Read reads from must hold that many
	maxReply = 32 << 10
)

// ProtocolError says that something other than an SMTP reply came.
type ProtocolError struct {
	Text   string
	Quoted string // what the server said instead, or empty; only Judge.Loss shows it, with secrets masked
}

func (e ProtocolError) Error() string {
	if e.Quoted == "" {
		return e.Text
	}
	return e.Text + ": " + strconv.Quote(e.Quoted)
}

// Read reads one reply (RFC 5321 4.2), whose code is 200 to 599. The text of
// its lines is appended to buf, each line ended by \n. Any other error than a
// ProtocolError is the connection's. br must hold MaxLine octets.
func Read(br *bufio.Reader, buf []byte) (code int, text []byte, err error) {
	start, total := len(buf), 0
	for {
		line, err := br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return 0, buf, ProtocolError{Text: "a reply line of more than " + strconv.Itoa(MaxLine) + " octets"}
		}
		if err != nil {
			return 0, buf, err
		}
		if total += len(line); total > maxReply {
			return 0, buf, ProtocolError{Text: "a reply of more than " + strconv.Itoa(maxReply) + " octets"}
		}
		line = bytes.TrimRight(line, "\r\n")
		n, more := splitCode(line)
		switch {
		case n == 0 && len(buf) == start:
			return 0, buf, ProtocolError{"no SMTP reply", string(line[:min(len(line), 80)])}
		case n == 0 || code != 0 && n != code:
			return 0, buf, ProtocolError{fmt.Sprintf("a reply of %d goes on with", code), string(line[:min(len(line), 80)])}
		}
		code = n
		buf = append(buf, line[min(4, len(line)):]...)
		buf = append(buf, '\n')
		if !more {
			return code, buf, nil
		}
	}
}

// Buffered reports whether a whole reply is there already, so that reading it
// cannot wait: most replies to a group of commands come in one packet.
func Buffered(br *bufio.Reader) bool {
	b, _ := br.Peek(br.Buffered())
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return false
		}
		if end < 4 || b[3] != '-' {
			return true
		}
		b = b[end+1:]
	}
}

// splitCode returns the code of a reply line, 0 if it has none.
func splitCode(line []byte) (code int, more bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	return code, len(line) > 3 && line[3] == '-'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// findEnhanced looks for an enhanced status code (RFC 3463, RFC 2034) at the start
// of any line of text, for some servers put it only into the last one, and then for
// qmail's form, (#5.1.1). Its class must be that of the reply's code.
func findEnhanced(code int, text []byte) string {
	class := byte('0' + code/100)
	for line := range bytes.Lines(text) {
		if e := enhancedAt(bytes.TrimPrefix(line, []byte("#")), class); e != "" { // #: IronPort
			return e
		}
	}
	_, after, _ := bytes.Cut(text, []byte("(#"))
	return enhancedAt(after, class)
}

// enhancedAt is the enhanced status code that b begins with: three numbers, of which the second
// and the third have at most three digits.
func enhancedAt(b []byte, class byte) string {
	if len(b) < 5 || b[0] != class || b[1] != '.' {
		return ""
	}
	end := 0
	for end < len(b) && (isDigit(b[end]) || b[end] == '.') {
		end++
	}
	subject, detail, _ := strings.Cut(string(b[2:end]), ".")
	if n := len(detail); len(subject) < 1 || len(subject) > 3 || n < 1 || n > 3 || strings.Contains(detail, ".") ||
		end < len(b) && unicode.IsLetter(rune(b[end])) {
		return ""
	}
	return string(b[:end])
}

// stripEnhanced drops the enhanced code from the start of each line that has it,
// since the Reply shows it in front.
func stripEnhanced(text []byte, enhanced string) []byte {
	if enhanced == "" {
		return text
	}
	if rest, ok := bytes.CutPrefix(text, []byte(enhanced)); ok && bytes.IndexByte(rest, '\n') >= len(rest)-1 {
		return rest // one line, as nearly always
	}
	var out []byte
	for line := range bytes.Lines(text) {
		out = append(out, bytes.TrimPrefix(line, []byte(enhanced))...)
	}
	return out
}
