package submission

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
)

const (
	maxCommand = 12288    // octets of a command line; RFC 4954 section 4 has the longest
	bufferSize = 64 << 10 // a piece of a message's line, at most
	// netBufferSize is bufferSize for the network, where many sessions are idle. TLS has a buffer below
	// it, so a small one costs no system calls.
	netBufferSize = 1 << 10
)

// errTooMuch: the client does not end a message that is much too long.
var errTooMuch = errors.New("submission: a message without end")

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
	answersAuth  bool   // the next line is no command: it answers a challenge of AUTH
	chunk        int64  // octets of a BDAT that was refused, still to be read
	unread       []byte // what go-smtp has not read yet
	line         []byte
	once         sync.Once
	closed       chan struct{}
	peer         *peer  // on the network; nil: a program of this machine
	replies      []byte // not written yet
	counts       counts
}

func newWire(conn net.Conn, local bool) *wire {
	return &wire{Conn: conn, local: local, br: bufio.NewReaderSize(conn, bufferSize), closed: make(chan struct{})}
}

// newPeerWire is a wire of the network, over TLS.
func newPeerWire(conn net.Conn, g *peer) *wire {
	return &wire{Conn: conn, br: bufio.NewReaderSize(conn, netBufferSize), closed: make(chan struct{}), peer: g}
}

// Close ends reading, too: standard input has no end of its own.
func (w *wire) Close() error {
	w.stopReading()
	err := w.flush()
	if w.peer != nil {
		w.peer.leave()
	}
	return cmp.Or(w.Conn.Close(), err)
}

// stopReading makes the replies that are still to come the last ones.
func (w *wire) stopReading() { w.once.Do(func() { close(w.closed) }) }

// Read gives go-smtp at most one line.
func (w *wire) Read(p []byte) (int, error) {
	for len(w.unread) == 0 {
		select {
		case <-w.closed:
			return 0, net.ErrClosed
		default:
		}
		if err := w.wait(); err != nil {
			return 0, err
		}
		if err := w.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.unread)
	w.unread = w.unread[n:]
	return n, nil
}

// wait comes before each line, or piece of one, that is read from the network.
func (w *wire) wait() error {
	if w.peer == nil {
		return nil
	}
	if w.br.Buffered() == 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	return w.peer.pace.begin(w.inData || w.chunk > 0, w.br.Buffered())
}

// next takes a line, or a piece of one.
func (w *wire) next() error {
	switch {
	case w.chunk > 0:
		return w.skip()
	case !w.inData:
		return w.command()
	}
	piece, err := w.br.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return err
	}
	w.learn(piece)
	if w.peer != nil && w.peer.pace.took(len(piece)) {
		w.stopReading() // the reply to the message is the last one
		return errTooMuch
	}
	return w.text(piece, err == nil)
}

// skip reads on in a chunk that was refused.
func (w *wire) skip() error {
	if _, err := w.br.Peek(1); err != nil {
		return err
	}
	n, err := w.br.Discard(int(min(w.chunk, int64(w.br.Buffered()))))
	if w.chunk -= int64(n); w.peer != nil {
		w.peer.pace.took(n) // it is not too much: see chunkSize
	}
	return err
}

// chunkSize is how many octets follow a BDAT command (RFC 3030 section 2). ok is false if that is not
// clear, if they are more than is read of a message, or if the client has not logged in.
func (w *wire) chunkSize(line string) (n int64, ok bool) {
	words := strings.Fields(line)
	if len(words) < 2 || len(words) > 3 || !strings.EqualFold(words[0], "BDAT") || len(words) == 3 && !strings.EqualFold(words[2], "LAST") {
		return 0, false
	}
	size, err := strconv.ParseUint(words[1], 10, 32)
	n = int64(size)
	return n, err == nil && (w.peer == nil || !w.peer.isAnonymous() && (w.peer.pace.most == 0 || n <= w.peer.pace.most))
}

// learn finds out from the first line how this client ends its lines.
func (w *wire) learn(line []byte) {
	if !w.lineEndKnown {
		w.lineEndKnown, w.endsInLF = true, w.local && !bytes.HasSuffix(line, []byte("\r\n"))
	}
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
	if w.lineStart {
		w.inData = !(whole && string(w.line) == "." && w.properEnd && w.endsWith(crs))
		w.guardDot()
	}
	if !whole {
		w.unread, w.lineStart = w.line, w.lineStart && len(w.line) == 0
		return nil
	}
	w.crs = 0
	w.line = append(w.line, '\r', '\n')
	w.unread, w.lineStart, w.properEnd = w.line, true, crs > 0 || w.endsInLF
	return nil
}

// endsWith reports whether a dot with that many CRs behind it, and a LF, can end a message.
func (w *wire) endsWith(crs int) bool { return crs == 1 || crs == 0 && w.endsInLF }

// guardDot changes a line that begins with a dot, and is not the end of the message, so that
// go-smtp does not take it for the end and loses nothing of it but the dot.
func (w *wire) guardDot() {
	switch {
	case !w.inData:
	case string(w.line) == ".":
		w.line = append(w.line, '.') // go-smtp removes it
	case bytes.HasPrefix(w.line, []byte(".\r")):
		w.line = w.line[1:] // go-smtp would remove both
	}
}

// command takes a command, or the answer to a challenge. One that was cut off is not carried out.
func (w *wire) command() error {
	w.line = w.line[:0]
	for whole := false; !whole; {
		piece, err := w.br.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if w.line = append(w.line, piece...); len(w.line) > maxCommand {
			return errLineTooLong
		}
		whole = err == nil
	}
	w.learn(w.line)
	w.line = bytes.TrimRight(w.line, "\r\n")
	if verb := w.line[:min(4, len(w.line))]; bytes.EqualFold(verb, []byte("BDAT")) && !w.answersAuth {
		// It is not offered. Octets of a message follow, which must not be read as commands.
		var ok bool
		if w.chunk, ok = w.chunkSize(string(w.line)); !ok {
			w.stopReading()
		}
		w.line = append(w.line[:0], "TURN"...)
	}
	w.answersAuth = false
	if w.peer != nil {
		w.countCommand(w.line)
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
	n := len(p)
	switch {
	case string(p) == "250-CHUNKING\r\n":
		return n, nil
	case bytes.HasPrefix(p, []byte("354 ")):
		w.inData, w.lineStart, w.properEnd, w.crs = true, true, true, 0
	case bytes.HasPrefix(p, []byte("334 ")):
		w.answersAuth = true
	}
	p = properSize(w.properCode(p))
	if w.peer == nil {
		_, err := w.Conn.Write(p)
		return n, err
	}
	return n, w.reply(p)
}
