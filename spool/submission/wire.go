package submission

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"strings"
	"sync"
)

const (
	maxCommand = 12288    // octets of a command line; RFC 4954 section 4 has the longest
	bufferSize = 64 << 10 // a piece of a message's line, at most
)

var errLineTooLong = errors.New("submission: a line that does not end")

// unqualified is the domain that names without one get on their way through go-smtp,
// which refuses such names. RFC 6761: nobody has it.
const unqualified = "@unqualified.invalid"

// wire is the filter between go-smtp and the connection. go-smtp reads one line, and
// answers it before it reads the next; so wire knows which lines are commands.
type wire struct {
	net.Conn
	br           *bufio.Reader
	local        bool
	lineEndKnown bool
	endsInLF     bool   // local, and its lines end in LF
	inData       bool   // within a message
	lineStart    bool   // in a message, at the beginning of a line
	properEnd    bool   // the line before ended as the lines of this client do
	crs          int    // CRs at the end of the last piece of a line; what follows decides
	unread       []byte // what go-smtp has not read yet
	line         []byte
	once         sync.Once
	closed       chan struct{}
}

func newWire(conn net.Conn, local bool) *wire {
	return &wire{Conn: conn, local: local, br: bufio.NewReaderSize(conn, bufferSize), closed: make(chan struct{})}
}

// Close ends reading, too: standard input has no end of its own.
func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

// Read gives go-smtp at most one line.
func (w *wire) Read(p []byte) (int, error) {
	for len(w.unread) == 0 {
		select {
		case <-w.closed:
			return 0, net.ErrClosed
		default:
		}
		piece, err := w.br.ReadSlice('\n')
		whole := err == nil
		if err != nil && !(errors.Is(err, bufio.ErrBufferFull) && w.inData) {
			// A command that was cut off is not carried out.
			if errors.Is(err, bufio.ErrBufferFull) {
				err = errLineTooLong
			}
			return 0, err
		}
		if !w.lineEndKnown {
			w.lineEndKnown, w.endsInLF = true, w.local && !bytes.HasSuffix(piece, []byte("\r\n"))
		}
		if w.inData {
			err = w.text(piece, whole)
		} else {
			err = w.command(piece)
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, w.unread)
	w.unread = w.unread[n:]
	return n, nil
}

// text takes a line of a message, or a piece of one. Every LF ends a line, as it does for
// clients that put a dot before each dot which begins a line; so go-smtp is given CRLF for
// it. But a dot that stands alone is the end only between proper line ends.
func (w *wire) text(piece []byte, whole bool) error {
	body := bytes.TrimSuffix(piece, []byte("\n"))
	bare := bytes.TrimRight(body, "\r")
	crs := len(body) - len(bare)
	if len(bare) > 0 {
		w.line = append(w.line[:0], strings.Repeat("\r", w.crs)...)
		w.line = append(w.line, bare...)
	} else {
		w.line, crs = w.line[:0], crs+w.crs
	}
	if w.crs = crs; crs > bufferSize {
		return errLineTooLong
	}
	if !whole {
		w.unread, w.lineStart = w.line, w.lineStart && len(w.line) == 0
		return nil
	}
	w.crs = 0
	ends := crs > 0 || w.endsInLF
	if w.lineStart && string(w.line) == "." {
		if w.inData = !(ends && w.properEnd); w.inData {
			w.line = append(w.line, '.') // go-smtp removes it
		}
	}
	w.line = append(w.line, '\r', '\n')
	w.unread, w.lineStart, w.properEnd = w.line, true, ends
	return nil
}

func (w *wire) command(line []byte) error {
	if len(line) > maxCommand {
		return errLineTooLong
	}
	w.line = append(w.line[:0], bytes.TrimRight(line, "\r\n")...)
	if verb := w.line[:min(4, len(w.line))]; bytes.EqualFold(verb, []byte("BDAT")) {
		verb[0] = 'X' // not offered
	}
	if w.local {
		w.line = qualify(w.line)
	}
	w.line = append(w.line, '\r', '\n')
	w.unread = w.line
	return nil
}

// qualify adds a domain to the name in a MAIL or RCPT command that has none.
func qualify(line []byte) []byte {
	text := string(line)
	verb, path, ok := strings.Cut(text, ":")
	if verb = strings.ToUpper(strings.Join(strings.Fields(verb), " ")); !ok || verb != "MAIL FROM" && verb != "RCPT TO" {
		return line
	}
	at := len(text) - len(strings.TrimLeft(path, " "))
	name := text[at:]
	if inner, ok := strings.CutPrefix(name, "<"); ok {
		at++
		name, _, _ = strings.Cut(inner, ">")
	} else {
		name, _, _ = strings.Cut(name, " ")
	}
	if name == "" || strings.ContainsAny(name, "@\"") {
		return line
	}
	end := at + len(name)
	return []byte(text[:end] + unqualified + text[end:])
}

// Write takes go-smtp's replies, of which each line is one Write.
func (w *wire) Write(p []byte) (int, error) {
	switch {
	case string(p) == "250-CHUNKING\r\n":
		return len(p), nil
	case bytes.HasPrefix(p, []byte("354 ")):
		w.inData, w.lineStart, w.properEnd, w.crs = true, true, true, 0
	}
	return w.Conn.Write(p)
}
