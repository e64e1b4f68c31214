package smtpclient

import (
	"bufio"
	"net"
	"time"

	"notices/spool/smtpreply"
)

// wire is what a conversation is spoken over. Each step has its own deadline.
type wire struct {
	timeout time.Duration
	raw     net.Conn // below TLS: deadlines are set here
	nc      net.Conn // what is spoken over
	br      *bufio.Reader
	watch   *watch // of the Open or Send under way
	text    []byte // the last reply
}

func (w *wire) use(nc net.Conn) {
	w.nc = nc
	w.br = bufio.NewReaderSize(nc, smtpreply.MaxLine)
}

// errSpokeFirst: no reply may come before the command that it is for.
var errSpokeFirst = smtpreply.ProtocolError{Text: "the server spoke before it was asked"}

// command sends a line and reads the reply, one after the other.
func (w *wire) command(line string) (code int, text []byte, err error) {
	if w.br.Buffered() > 0 {
		return 0, nil, errSpokeFirst
	}
	if err := w.write([]byte(line + "\r\n")); err != nil {
		return 0, nil, err
	}
	return w.read(w.timeout)
}

func (w *wire) write(b []byte) error {
	w.watch.armWrite(w.timeout)
	_, err := w.nc.Write(b)
	return w.watch.explain(err)
}

// read reads a reply into a buffer that the next read overwrites.
func (w *wire) read(wait time.Duration) (code int, text []byte, err error) {
	if !smtpreply.Buffered(w.br) {
		w.watch.armRead(wait)
	}
	code, w.text, err = smtpreply.Read(w.br, w.text[:0])
	return code, w.text, w.watch.explain(err)
}
