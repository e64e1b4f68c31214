package intake

import (
	"bufio"
	"bytes"
	"io"
)

// Separator says which "From " lines of an mbox begin a message.
type Separator string

// Separators.
const (
	// SeparatorSure: one with a date and a header behind it, wherever it stands. A line that
	// may be text or a separator makes the whole mbox refused.
	SeparatorSure Separator = ""
	// SeparatorBlank: one after an empty line that has a header behind it; all others are text.
	SeparatorBlank Separator = "blank"
	// SeparatorAny: one that has a date; all others are text.
	SeparatorAny Separator = "any"
	// separatorSeen: as SeparatorSure, but what may be text is text.
	separatorSeen Separator = "seen"
)

// Mbox reads the messages of an mbox, RFC 4155, one after another, in little memory
// whatever their size. Lines end in LF or CRLF.
//
// Not every writer of an mbox puts an empty line before its "From " lines, and not every
// one quotes those of the text. Half of a notice must not be sent, and two must not be sent
// as one; so what may be either is an error (mboxfrom.go). A Content-Length is not
// heeded, since many are wrong. Of the quoted lines, ">From ", ">>From " and so on, one >
// is taken off (mboxrd).
type Mbox struct {
	r       *bufio.Reader
	how     Separator
	number  int
	first   int // line that the message begins in
	line    int // lines read
	inLine  bool
	empty   bool   // the last line was
	leading bool   // nothing of the message was read but "From " lines
	held    []byte // an empty line: if a separator follows it is part of that
	blank   [2][2]byte
	turn    int    // of blank: the line before may still be in out
	out     []byte // of the message, to be read
	then    []byte // and after it
	over    bool   // no more of this message
	atEnd   bool   // of the file
	failure error
	parts   mboxParts
}

// mboxBuffer is how much of a line is looked at.
const mboxBuffer = pieceSize

// NewMbox reads an mbox. Blank lines before the first message are passed over.
func NewMbox(r io.Reader, how Separator) *Mbox {
	return &Mbox{r: bufio.NewReaderSize(r, mboxBuffer), how: how, over: true}
}

// CheckMbox reads an mbox to its end. An *Error says which of its lines may be text or the
// beginning of a message: then nothing of it is to be queued.
func CheckMbox(r io.Reader, how Separator) error {
	for box := NewMbox(r, how); ; {
		if _, err := box.Next(); err != nil {
			return ignoreEOF(err)
		}
	}
}

// CheckMessage reads a file that does not begin as an mbox does, and refuses one in which
// other messages begin all the same.
func CheckMessage(r io.Reader) error {
	box := NewMbox(r, separatorSeen)
	box.number, box.over = 1, false
	box.parts.begin()
	for {
		for !box.over {
			box.fill()
		}
		if box.atEnd {
			return box.failure
		}
		if box.parts.boundary == "" { // else it is a line of an attachment
			return badMessage("line %d begins a message of an mbox, but the file does not begin with one: remove what is before that line, "+
				"or give the file a name that ends in .eml if all of it is one message", box.line)
		}
		box.over = false
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
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
// io.EOF: there is none. The reader is good until Next is called again. After an error there
// is no more to read; an *Error is a line that may be text or a separator.
func (m *Mbox) Next() (io.Reader, error) {
	if m.number == 0 && m.failure == nil {
		if err := m.begin(); err != nil {
			return nil, err
		}
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
	m.empty, m.over, m.leading = false, false, true
	m.parts.begin()
	return mboxMessage{m}, nil
}

// begin reads up to the first message, with its "From " line.
func (m *Mbox) begin() error {
	if bom, _ := m.r.Peek(3); string(bom) == "\xef\xbb\xbf" {
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
	if line, behind := m.fromLine(); m.how == SeparatorSure && isDated(line) && !isHeader(behind) {
		m.over, m.atEnd, m.failure = true, true, doubtful(m.line+1, line, noHeader)
	}
	return m.skipLine()
}

// skipLine passes over a line. io.EOF: there is none.
func (m *Mbox) skipLine() error {
	for n := 0; ; {
		piece, err := m.r.ReadSlice('\n')
		if n += len(piece); err == bufio.ErrBufferFull {
			continue
		}
		if n > 0 {
			m.line++
			err = ignoreEOF(err)
		}
		return err
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
			return 0, m.ending()
		}
		m.fill()
	}
	n := copy(p, m.out)
	if m.out = m.out[n:]; len(m.out) == 0 {
		m.out, m.then = m.then, nil
	}
	return n, nil
}

// ending is the error that the message at hand ends with. One whose file ends within its
// header was cut off, and maybe within an address.
func (m *Mbox) ending() error {
	if m.atEnd && m.parts.header && !m.leading {
		return badMessage("the file ends within the header of this message: it seems to be cut off. An empty line ends a header")
	}
	return io.EOF
}

// fill reads a line, or the next piece of one that is longer than the buffer.
func (m *Mbox) fill() {
	if !m.inLine && m.separator() {
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
		m.leading = m.leading && bytes.HasPrefix(piece, []byte("From "))
		if m.parts.line(piece) && m.how == SeparatorSure {
			m.over, m.atEnd, m.failure = true, true, m.parts.doubt()
			return
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
	if start, _ := m.r.Peek(5); m.leading || !maybeFrom(start) {
		return false
	}
	line, behind := m.fromLine()
	if !maybeFrom(line) {
		return false
	}
	separates, why := m.judge(line, behind)
	switch {
	case why != "":
		m.over, m.atEnd, m.failure = true, true, doubtful(m.line+1, line, why)
		return true
	case separates:
		m.parts.end(m.line+1, line)
		m.over, m.held = true, nil
		_ = m.skipLine() // an error comes again
	}
	return separates
}
