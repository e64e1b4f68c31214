package bounce

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"slices"
	"strings"

	"notices/spool"
	"notices/spool/recode"
)

const (
	maxWhole  = 1 << 20   // a larger original goes back as its header only
	maxHeader = 256 << 10 // and of that not more than this
)

// fromField begins every report; Readdress counts on it.
const fromField = "From: "

// whole says whether the original goes back as a whole. Who is only warned still
// has it coming; and what no server could take (its size, 8-bit parts under a
// signature) none could take in a report either.
func (r *Report) whole() bool {
	return (r.Kind == Failed || r.Kind == Kept) && r.Original.Size() <= maxWhole && !r.Record.Envelope.ReturnHeaders &&
		!slices.ContainsFunc(r.Recipients, func(i int) bool { return r.Record.Recipients[i].Outcome.Reason == spool.ReasonCannot })
}

// originalHeader is what is taken from the original's header.
type originalHeader struct {
	raw     []byte // whole lines, at most maxHeader
	subject string // decoded; not yet printable
}

func readHeader(body io.ReaderAt) (h originalHeader, err error) {
	r := bufio.NewReader(io.NewSectionReader(body, 0, maxHeader))
	name, partial := "", false
	for {
		line, err := r.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !full && err != io.EOF {
			return h, err
		}
		if err == io.EOF || len(bytes.TrimRight(line, "\r\n")) == 0 {
			break // a line cut off by maxHeader is left out
		}
		h.raw = append(h.raw, line...)
		if !partial && line[0] != ' ' && line[0] != '\t' {
			field, value, _ := strings.Cut(string(line), ":")
			name = strings.ToLower(strings.TrimRight(field, " \t"))
			line = []byte(value)
		}
		if name == "subject" && len(h.subject) < 2000 {
			h.subject += string(line)
		}
		partial = full
	}
	h.subject = decode(h.subject)
	return h, nil
}

// decode reads encoded words, RFC 2047. What it cannot read it leaves as it is.
func decode(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", ""), "\n", "")
	var d mime.WordDecoder
	if decoded, err := d.DecodeHeader(s); err == nil {
		s = decoded
	}
	return strings.TrimSpace(s)
}

// originalPart writes the third part. An original with UTF-8 in its header is a
// message/global, RFC 6532; in a report that is itself ASCII it is base64, which
// RFC 6532 section 3.7 allows for that type and RFC 2046 forbids for message/rfc822.
func (c *composer) originalPart() error {
	global := c.r.Record.Envelope.UTF8
	mediaType, encoding := "message/rfc822", "7bit"
	if !c.r.whole() {
		mediaType = "text/rfc822-headers"
		global = global || !ascii(string(c.head.raw))
	} else if c.r.Record.Envelope.EightBit {
		encoding = "8bit"
	}
	if global {
		mediaType, encoding = "message/global", "base64"
		if !c.r.whole() {
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
	if c.r.whole() {
		from = io.NewSectionReader(c.r.Original, 0, c.r.Original.Size())
	}
	if !encode {
		_, err := io.Copy(c.Writer, from)
		return err
	}
	enc := base64.NewEncoder(base64.StdEncoding, &columns{w: c.Writer})
	_, err := io.Copy(enc, from)
	enc.Close()
	c.line()
	return err
}

// columns breaks lines after 76 octets, RFC 2045 section 6.8.
type columns struct {
	w      *bufio.Writer
	column int
}

func (c *columns) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if c.column == lineWidth {
			if _, err := c.w.WriteString("\r\n"); err != nil {
				return 0, err
			}
			c.column = 0
		}
		n := min(len(p), lineWidth-c.column)
		if _, err := c.w.Write(p[:n]); err != nil {
			return 0, err
		}
		c.column += n
		p = p[n:]
	}
	return total, nil
}

// Readdress copies a report and lets it come from the site's own address, for a
// server that refuses the null sender and so, most likely, a sender that has no
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
