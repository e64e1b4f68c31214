package bounce

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/textproto"
	"slices"

	"notices/spool"
	"notices/spool/printable"
	"notices/spool/recode"
)

const (
	maxWhole  = 1 << 20   // of a larger original, only the header is returned
	maxHeader = 256 << 10 // and not more than this of the header
)

// fromField begins every report; Readdress relies on it.
const fromField = "From: "

// includesBody reports whether the original is attached as a whole. A mere warning has only its
// header. So has the return of a message that no server could take (for its size, or for
// signed 8-bit parts), because no server could take it in a report either.
func (r *Report) includesBody() bool {
	return (r.Kind == Failed || r.Kind == Kept) && r.Original.Size() <= maxWhole && !r.Record.Envelope.ReturnHeaders &&
		!slices.ContainsFunc(r.Recipients, func(i int) bool { return r.Record.Recipients[i].Outcome.Reason == spool.ReasonCannot })
}

// originalHeader is what a report needs of the original's header.
type originalHeader struct {
	raw     []byte // whole lines, at most maxHeader
	subject string // decoded, but not made printable
}

func readHeader(body io.ReaderAt) (h originalHeader, err error) {
	r := bufio.NewReader(io.NewSectionReader(body, 0, maxHeader))
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && err != io.EOF {
			return h, err
		}
		if err == io.EOF || len(bytes.TrimRight(line, "\r\n")) == 0 {
			break // a line that maxHeader cuts is left out
		}
		h.raw = append(h.raw, line...)
	}
	// The fields before a malformed line are returned with the error.
	fields, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(h.raw))).ReadMIMEHeader()
	h.subject = printable.Cut(fields.Get("Subject"), 2000)
	if decoded, err := new(mime.WordDecoder).DecodeHeader(h.subject); err == nil {
		h.subject = decoded
	}
	return h, nil
}

// originalPart writes the third part. An original with UTF-8 in its header is message/global
// (RFC 6532). A report in ASCII has it in base64, which RFC 6532 section 3.7 allows for this
// type, and RFC 2046 forbids for message/rfc822.
func (c *composer) originalPart() error {
	global := c.r.Record.Envelope.UTF8
	mediaType, encoding := "message/rfc822", "7bit"
	if !c.r.includesBody() {
		mediaType = "text/rfc822-headers"
		global = global || !ascii(string(c.head.raw))
	} else if c.r.Record.Envelope.EightBit {
		encoding = "8bit"
	}
	if global {
		mediaType, encoding = "message/global", "base64"
		if !c.r.includesBody() {
			mediaType = "message/global-headers" // RFC 6533 section 6.3
		}
		if c.utf8 {
			encoding = "8bit"
		}
	}
	c.part("The message", mediaType, encoding)
	err := c.copyOriginal(encoding == "base64")
	c.line()
	return err
}

func (c *composer) copyOriginal(encode bool) error {
	var from io.Reader = bytes.NewReader(c.head.raw)
	if c.r.includesBody() {
		from = io.NewSectionReader(c.r.Original, 0, c.r.Original.Size())
	}
	if !encode {
		_, err := io.Copy(c.Writer, from)
		return err
	}
	from = bufio.NewReader(from)
	for row := make([]byte, lineWidth/4*3); ; { // RFC 2045 section 6.8
		n, err := io.ReadFull(from, row)
		if n > 0 {
			c.line(base64.StdEncoding.EncodeToString(row[:n]))
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return nil
		default:
			return err
		}
	}
}

// Readdress copies a report and puts the site's own address into its From field. It is for
// servers that refuse the null sender, and so probably refuse MAILER-DAEMON, which has no
// account there. It needs Site.Address.
func Readdress(w io.Writer, report io.Reader, s Site) error {
	if s.Address == "" {
		return errors.New("bounce: [site] address is not set")
	}
	r := bufio.NewReader(report)
	if start, _ := r.Peek(len(fromField)); string(start) == fromField {
		if _, err := r.ReadSlice('\n'); err != nil {
			return err
		}
		if _, err := io.WriteString(w, fromField+"Mail Delivery System <"+recode.HeaderAddress(s.Address)+">\r\n"); err != nil {
			return err
		}
	}
	_, err := r.WriteTo(w)
	return err
}
