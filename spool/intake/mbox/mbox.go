// Package mbox reads the messages of an mbox (RFC 4155), one after another, in little
// memory whatever their size. Lines end in LF or CRLF.
//
// Not every program that writes an mbox puts an empty line before its "From " lines, and
// not every one quotes those of the text. Half of a notice must not be sent, and two must
// not be sent as one. So a line that may be text or the beginning of a message makes the
// whole mbox refused (from.go, parts.go). Content-Length is ignored, since it is often
// wrong. One > is removed from quoted lines: ">From ", ">>From " and so on (mboxrd).
package mbox

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"notices/spool/printable"
)

// Separator says which "From " lines of an mbox begin a message.
type Separator string

// Separators.
const (
	// Sure: those with a date and a header behind them, wherever they stand. A line that may
	// be text or a separator makes the whole mbox refused.
	Sure Separator = ""
	// Blank: those after an empty line that have a header behind them; all others are text.
	Blank Separator = "blank"
	// Any: those that have a date; all others are text.
	Any Separator = "any"
	// Loose: those with a date and a header behind them; all others are text. It refuses
	// nothing, and is for mail that is only looked at.
	Loose Separator = "loose"
	// lenient is Sure, but what may be text is text.
	lenient Separator = "lenient"
)

// Error says, to a person, why a file or one of its messages must not be queued.
type Error string

func (e Error) Error() string { return string(e) }

func errorf(format string, args ...any) error { return Error(fmt.Sprintf(format, args...)) }

// bufferSize is how much of a line is looked at, in octets.
const bufferSize = 64 << 10

// Reader reads an mbox.
type Reader struct {
	r         *bufio.Reader
	separator Separator

	number     int    // of the message at hand, from 1
	start      int    // the line it begins in
	line       int    // lines read
	midLine    bool   // the last piece did not end its line
	afterBlank bool   // the last line was empty
	fromOnly   bool   // the message has had nothing but "From " lines so far
	blank      []byte // an empty line that belongs to the separator if one follows
	out        []byte // of the message, to be read
	outNext    []byte // and after it
	ended      bool   // the message at hand ended
	eof        bool   // and so did the file
	failure    error
	parts      parts
}

// NewReader reads an mbox. Blank lines before the first message are skipped.
func NewReader(r io.Reader, separator Separator) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, bufferSize), separator: separator, ended: true}
}

// Check reads an mbox to its end. An Error says which of its lines may be text or the
// beginning of a message: then nothing of it is to be queued.
func Check(r io.Reader, separator Separator) error {
	for m := NewReader(r, separator); ; {
		if _, err := m.Next(); err != nil {
			return ignoreEOF(err)
		}
	}
}

// CheckMessage reads a file that does not begin as an mbox does. It refuses one in which
// other messages begin all the same.
func CheckMessage(r io.Reader) error {
	m := NewReader(r, lenient)
	m.number, m.ended = 1, false
	m.parts.begin()
	for {
		for !m.ended {
			m.fill()
		}
		if m.eof {
			return m.failure
		}
		if m.parts.boundary == "" { // else it is a line of an attachment
			return errorf("line %d begins a message of an mbox, but the file does not begin with one: remove what is before that line, "+
				"or give the file a name that ends in .eml if all of it is one message", m.line)
		}
		m.ended = false
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// Begins tells by the beginning of a file, of which 512 octets are enough, whether it is
// an mbox. Otherwise it may be one message.
func Begins(beginning []byte) bool {
	beginning = bytes.TrimLeft(bytes.TrimPrefix(beginning, []byte(byteOrderMark)), "\r\n")
	rest, ok := bytes.CutPrefix(beginning, []byte("From "))
	return ok && !bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte(":"))
}

const byteOrderMark = "\xef\xbb\xbf" // in UTF-8

// Number is the number of the message at hand, from 1.
func (m *Reader) Number() int { return m.number }

// Line is the line of the mbox that the message at hand begins in.
func (m *Reader) Line() int { return m.start }

// Next goes on to the next message, and skips what is left of the one at hand. It returns
// io.EOF at the end. The message can be read until Next is called again. After an error
// nothing more can be read. An Error is about a line that may be text or a separator.
func (m *Reader) Next() (io.Reader, error) {
	if m.number == 0 && m.failure == nil {
		if err := m.skipToFirst(); err != nil {
			return nil, err
		}
	}
	for !m.ended {
		m.fill()
	}
	if m.failure != nil {
		return nil, m.failure
	}
	if m.eof {
		return nil, io.EOF
	}
	m.number++
	m.start = m.line + 1
	m.out, m.outNext, m.blank = nil, nil, nil
	m.afterBlank, m.ended, m.fromOnly = false, false, true
	m.parts.begin()
	return message{m}, nil
}

// skipToFirst reads up to the first message, with its "From " line.
func (m *Reader) skipToFirst() error {
	if bom, _ := m.r.Peek(len(byteOrderMark)); string(bom) == byteOrderMark {
		_, _ = m.r.Discard(len(bom)) // they are in the buffer
	}
	for {
		if start, _ := m.r.Peek(1); len(start) == 0 || start[0] != '\n' && start[0] != '\r' {
			break
		}
		if err := m.skipLine(); err != nil {
			return err
		}
	}
	if line, behind := m.lineAhead(); m.separator == Sure && IsDated(line) && !isHeader(behind) {
		m.fail(doubtful(m.line+1, line, noHeader))
	}
	return m.skipLine()
}

// lineAhead is the line that comes, as far as is looked ahead, and what is behind it.
func (m *Reader) lineAhead() (line, behind []byte) {
	ahead, _ := m.r.Peek(maxAhead)
	line, behind, _ = bytes.Cut(ahead, lf)
	return bytes.TrimRight(line, "\r"), behind
}

// skipLine skips a line, of whatever length. It returns io.EOF at the end.
func (m *Reader) skipLine() error {
	for n := 0; ; {
		piece, err := m.r.ReadSlice('\n')
		n += len(piece)
		if err == bufio.ErrBufferFull {
			continue
		}
		if n > 0 {
			m.line++
			err = ignoreEOF(err)
		}
		return err
	}
}

// message reads the message at hand.
type message struct{ *Reader }

func (m message) Read(p []byte) (int, error) {
	for len(m.out) == 0 {
		if m.ended {
			if m.failure != nil {
				return 0, m.failure
			}
			return 0, m.endOfMessage()
		}
		m.fill()
	}
	n := copy(p, m.out)
	if m.out = m.out[n:]; len(m.out) == 0 {
		m.out, m.outNext = m.outNext, nil
	}
	return n, nil
}

// endOfMessage is the error that the message at hand ends with. A message whose file ends
// within its header was cut off, maybe within an address.
func (m *Reader) endOfMessage() error {
	if m.eof && m.parts.inHeader && !m.fromOnly {
		return Error("the file ends within the header of this message: it seems to be cut off. An empty line ends a header")
	}
	return io.EOF
}

// fill reads a line, or the next piece of one that is longer than the buffer.
func (m *Reader) fill() {
	if !m.midLine && m.takeSeparator() {
		return
	}
	piece, err := m.r.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull {
		m.ended, m.eof = true, true
		if err != io.EOF {
			m.failure = err
		}
	}
	if len(piece) == 0 {
		return
	}
	blank := m.blank
	m.blank = nil
	if !m.midLine {
		m.line++
		switch m.afterBlank = true; string(piece) {
		case "\n":
			m.blank, piece = lf, nil
		case "\r\n":
			m.blank, piece = crlf, nil
		default:
			m.afterBlank = false
		}
		m.fromOnly = m.fromOnly && bytes.HasPrefix(piece, []byte("From "))
		if m.parts.line(piece) && m.separator == Sure {
			m.fail(m.parts.doubt())
			return
		}
		piece = unquoteFrom(piece)
	}
	m.midLine = len(piece) > 0 && piece[len(piece)-1] != '\n'
	if m.out, m.outNext = piece, nil; blank != nil {
		m.out, m.outNext = blank, piece
	}
}

var lf, crlf = []byte("\n"), []byte("\r\n")

// fail ends the reading.
func (m *Reader) fail(err error) { m.ended, m.eof, m.failure = true, true, err }

// unquoteFrom removes one > from a quoted "From " line.
func unquoteFrom(line []byte) []byte {
	if len(line) > 0 && line[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
		return line[1:]
	}
	return line
}

// takeSeparator ends the message if the next line is a separator, and reads that line.
func (m *Reader) takeSeparator() bool {
	if start, _ := m.r.Peek(5); m.fromOnly || !maybeFrom(start) {
		return false
	}
	line, behind := m.lineAhead()
	if !maybeFrom(line) {
		return false
	}
	separates, doubt := m.separates(line, behind)
	switch {
	case doubt != "":
		m.fail(doubtful(m.line+1, line, doubt))
		return true
	case separates:
		m.parts.end(m.line+1, line)
		m.ended, m.blank = true, nil
		_ = m.skipLine() // an error comes again
	}
	return separates
}

// separates decides whether a "From " line begins a message. doubt says why it may be text.
func (m *Reader) separates(line, behind []byte) (separates bool, doubt string) {
	exact := bytes.HasPrefix(line, []byte("From "))
	dated := exact && IsDated(line)
	switch {
	case m.separator == Any && dated && !beginsHeader(behind):
		return false, headless
	case m.separator == Any:
		return dated, ""
	case m.separator == Blank:
		return exact && m.afterBlank && isHeader(behind), ""
	case dated && isHeader(behind):
		return true, ""
	case m.separator == Loose:
		return false, ""
	case dated && m.separator != lenient:
		return false, noHeader
	case beginsHeader(behind):
		return false, noDate
	}
	return false, ""
}

// Reasons to doubt a line.
const (
	noHeader = "has a date like the beginning of a message, but no header behind it"
	headless = "has a date, but no header behind it" // of Any, which cannot be the advice then
	noDate   = "has a header behind it like the beginning of a message, but no date as separators have it"
	inParts  = "begins a message or stands within an attachment: the parts that began before it go on behind it"
)

func doubtful(number int, line []byte, why string) error {
	begins := "use --mbox separator=any if every message has a date"
	if why == headless {
		begins = "add its header below that line"
	}
	return errorf("line %d of the mbox, %s, %s. Nothing of this file was queued. If it is text, write >From there, or use --mbox separator=blank "+
		"if every message begins after an empty line; if a message begins there, %s", number, printable.Quote(string(line), 100), why, begins)
}
