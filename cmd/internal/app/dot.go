package app

import (
	"bufio"
	"io"
)

// dotReader reads a message that a line with a single dot ends, as sendmail has it without
// -i. The line may end in LF or CRLF, or with the input. Dots before other text stay: this
// is not SMTP.
type dotReader struct {
	in     *bufio.Reader
	rest   []byte // of the line, or the part of one, that is being read
	inLine bool   // rest was not the end of its line
	err    error  // what comes behind rest
}

func (d *dotReader) Read(p []byte) (int, error) {
	if len(d.rest) == 0 && d.err == nil {
		line, err := d.in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			err = nil
		}
		if !d.inLine && isDot(line, err) {
			line, err = nil, io.EOF
		}
		d.rest, d.err = line, err
		d.inLine = len(line) > 0 && line[len(line)-1] != '\n'
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	if n == 0 && len(p) > 0 {
		return 0, d.err
	}
	return n, nil
}

// isDot reports whether a line is a single dot; err is what ended the reading of it.
func isDot(line []byte, err error) bool {
	switch string(line) {
	case ".\n", ".\r\n":
		return true
	case ".", ".\r":
		return err == io.EOF
	}
	return false
}
