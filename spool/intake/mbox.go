package intake

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// Mbox reads the messages of an mbox, RFC 4155, one after another, in little memory
// whatever their size. Lines end in LF or CRLF.
//
// A message begins behind a "From " line at the beginning of the file or after an
// empty line; a Content-Length is not heeded, since many are wrong. Of the quoted
// lines, ">From ", ">>From " and so on, one > is taken off (mboxrd). Not every writer
// quotes, and half of a notice must not be sent: a "From " line after an empty line
// that may as well be text makes the message refused, until a line comes that is none.
type Mbox struct {
	r       *bufio.Reader
	number  int
	first   int // line that the message begins in
	line    int // lines read
	inLine  bool
	empty   bool   // the last line was
	held    []byte // an empty line: if a separator follows it is part of that
	blank   [2][2]byte
	turn    int    // of blank: the line before may still be in out
	out     []byte // of the message, to be read
	then    []byte // and after it
	over    bool   // no more of this message
	atEnd   bool   // of the file
	failure error
	lost    bool // text and separators can no longer be told apart
}

// mboxBuffer is how much of a line is looked at.
const mboxBuffer = pieceSize

// NewMbox reads an mbox. Blank lines before the first message are passed over.
func NewMbox(r io.Reader) *Mbox {
	return &Mbox{r: bufio.NewReaderSize(r, mboxBuffer), empty: true, over: true}
}

// IsMbox tells by the beginning of a file whether it is an mbox; it may be one message
// otherwise. 512 octets are enough.
func IsMbox(beginning []byte) bool {
	beginning = bytes.TrimLeft(bytes.TrimPrefix(beginning, []byte("\xef\xbb\xbf")), "\r\n")
	rest, ok := bytes.CutPrefix(beginning, []byte("From "))
	return ok && !bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte(":"))
}

// Number is that of the message at hand, from 1.
func (m *Mbox) Number() int { return m.number }

// Line is the line of the mbox that the message at hand begins in.
func (m *Mbox) Line() int { return m.first }

// Next goes on to the next message; what is left of the one at hand is passed over.
// io.EOF: there is none. The reader is good until Next is called again. An *Error that it
// returns concerns this message alone; after another error there is no more to read.
func (m *Mbox) Next() (io.Reader, error) {
	if m.number == 0 {
		if err := m.begin(); err != nil {
			return nil, err
		}
	}
	if m.lost {
		m.failure, m.over = nil, m.atEnd
	}
	for !m.over {
		m.fill()
	}
	if m.failure != nil {
		return nil, m.failure
	}
	if m.atEnd {
		return nil, io.EOF
	}
	m.number++
	m.first = m.line + 1
	m.out, m.then, m.held = nil, nil, nil
	m.empty, m.over, m.lost = false, false, false
	return mboxMessage{m}, nil
}

// begin reads up to the first message, with its "From " line.
func (m *Mbox) begin() error {
	if bom, _ := m.r.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = m.r.Discard(len(bom)) // they are in the buffer
	}
	for {
		line, err := m.r.ReadSlice('\n')
		m.line++
		switch {
		case err == bufio.ErrBufferFull:
			return m.skipLine()
		case len(line) == 0 || err != nil && err != io.EOF:
			return err
		case len(bytes.TrimRight(line, "\r\n")) > 0:
			return nil
		}
	}
}

func (m *Mbox) skipLine() error {
	for {
		_, err := m.r.ReadSlice('\n')
		if err != bufio.ErrBufferFull {
			return err
		}
	}
}

// mboxMessage reads the message at hand.
type mboxMessage struct{ *Mbox }

func (m mboxMessage) Read(p []byte) (int, error) {
	for len(m.out) == 0 {
		if m.over {
			if m.failure != nil {
				return 0, m.failure
			}
			return 0, io.EOF
		}
		m.fill()
	}
	n := copy(p, m.out)
	if m.out = m.out[n:]; len(m.out) == 0 {
		m.out, m.then = m.then, nil
	}
	return n, nil
}

// fill reads a line, or the next piece of one that is longer than the buffer.
func (m *Mbox) fill() {
	if !m.inLine && m.empty && m.separator() {
		return
	}
	piece, err := m.r.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull {
		m.over, m.atEnd = true, true
		if err != io.EOF {
			m.failure = err
		}
	}
	if len(piece) == 0 {
		return
	}
	held := m.held
	m.held = nil
	if !m.inLine {
		m.line++
		if m.empty = string(piece) == "\n" || string(piece) == "\r\n"; m.empty {
			m.turn ^= 1
			m.held, piece = append(m.blank[m.turn][:0], piece...), nil
		}
		piece = unquoteFrom(piece)
	}
	m.inLine = len(piece) > 0 && piece[len(piece)-1] != '\n'
	if m.out, m.then = piece, nil; held != nil {
		m.out, m.then = held, piece
	}
}

// unquoteFrom takes one > off a quoted "From " line.
func unquoteFrom(line []byte) []byte {
	if len(line) > 0 && line[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
		return line[1:]
	}
	return line
}

// separator ends the message if the next line is a separator, and takes it.
func (m *Mbox) separator() bool {
	if start, _ := m.r.Peek(5); string(start) != "From " {
		return false
	}
	line, _, _ := bytes.Cut(m.peek(1), []byte("\n"))
	clear := isSeparator(line, nil)
	if !clear {
		var next []byte
		line, next, _ = bytes.Cut(m.peek(2), []byte("\n"))
		clear = isSeparator(line, next)
	}
	switch {
	case clear:
		m.line++
		m.over, m.held = true, nil
		_ = m.skipLine() // an error comes again
		return true
	case m.lost:
		return false
	}
	m.over, m.lost, m.held = true, true, nil
	m.failure = badMessage("line %d of the mbox, %s, may be text or the beginning of a new message: write >From if it is text, or put a date into it if a message begins there",
		m.line+1, quote(strings.TrimRight(string(line), "\r")))
	return true
}

// maxFromLine is how far a "From " line and the one behind it are looked at.
const maxFromLine = 2000

// peek looks at so many lines. It waits for no more of a pipe than that.
func (m *Mbox) peek(lines int) []byte {
	for n := 1; ; n++ {
		n = min(max(n, m.r.Buffered()), maxFromLine)
		ahead, err := m.r.Peek(n)
		if err != nil || n == maxFromLine || bytes.Count(ahead, []byte("\n")) >= lines {
			return ahead
		}
	}
}

// isSeparator reports whether a "From " line is surely a separator: it has a date as
// asctime(3) or mail writes it, or just a sender, and a header follows.
func isSeparator(line, next []byte) bool {
	words := strings.Fields(string(line[len("From "):]))
	if len(words) == 0 {
		return false
	}
	for i, word := range words {
		if oneOf(strings.TrimSuffix(word, ","), "Mon Tue Wed Thu Fri Sat Sun") && isDate(words[i+1:]) {
			return true
		}
	}
	sender := words[0]
	if len(words) > 1 && sender != "-" && sender != "MAILER-DAEMON" && !strings.Contains(sender, "@") {
		return false
	}
	next, _, _ = bytes.Cut(next, []byte("\n"))
	return colonOf(next) > 0
}

// isDate wants a month, a time and a year, in any order.
func isDate(words []string) bool {
	var month, clock, year bool
	for _, word := range words {
		month = month || oneOf(word, "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec")
		clock = clock || digits(word, "00:00") || digits(word, "0:00") || digits(word, "00:00:00") || digits(word, "0:00:00")
		year = year || digits(word, "0000")
	}
	return month && clock && year
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
