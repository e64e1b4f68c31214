package submission

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/emersion/go-smtp"
)

// Limits of the header of a message from the network. intake holds it in memory, a site may have
// a hundred sessions, and each field costs much more than its few octets.
const (
	maxHeader = 256 << 10 // octets
	maxFields = 1000      // a message that passed fifty servers has some 200
	maxBlank  = 1 << 20   // octets of empty lines one after the other; more cannot be signed
	// A header that is longer than this is a long one. Of all sessions maxLong may have one at
	// the same time, and of a site's maxLongOfSite.
	longHeader    = 32 << 10
	maxLong       = 32
	maxLongOfSite = 8
)

// headed reads a message whose header is not too long, and that can be signed.
type headed struct {
	r      io.Reader
	site   string
	long   *longHeaders
	isLong bool // long counts it
	line   int  // octets of this line
	header int  // octets so far
	fields int
	body   bool
	blank  int // octets of empty lines since the last line of the body that has text
}

func (h *headed) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	for i := 0; i < n; i++ {
		var refused error
		if h.body {
			refused, i = h.takeBody(p[i:n]), n
		} else {
			refused = h.take(p[i])
		}
		if refused != nil {
			return 0, refused
		}
	}
	return n, err
}

// takeBody counts the empty lines of a piece of the body. Package dkim holds them in memory until it
// sees what follows.
func (h *headed) takeBody(p []byte) error {
	const blanks = " \t\r\n"
	text := bytes.TrimLeft(p, blanks)
	if h.blank += len(p) - len(text); h.blank > maxBlank {
		return answer(554, smtp.EnhancedCode{5, 6, 0}, fmt.Sprintf("the message has more than %d octets of empty lines one after the other", maxBlank))
	}
	if len(text) > 0 {
		h.blank = len(text) - len(bytes.TrimRight(text, blanks))
	}
	return nil
}

// take counts an octet of the header.
func (h *headed) take(c byte) error {
	switch c {
	case '\n':
		h.body, h.line = h.line == 0, 0
	case '\r':
	default:
		if h.line == 0 && c != ' ' && c != '\t' {
			h.fields++
		}
		h.line++
	}
	switch h.header++; {
	case h.header > maxHeader:
		return answer(554, smtp.EnhancedCode{5, 6, 0}, fmt.Sprintf("the header of the message is longer than %d octets", maxHeader))
	case h.fields > maxFields:
		return answer(554, smtp.EnhancedCode{5, 6, 0}, fmt.Sprintf("the header of the message has more than %d fields", maxFields))
	case h.header == longHeader:
		if h.isLong = h.long.enter(h.site); !h.isLong {
			return answer(451, smtp.EnhancedCode{4, 3, 1}, "too many messages with long headers at once; try again later")
		}
	}
	return nil
}

// release is called at the end of the message.
func (h *headed) release() {
	if h.isLong {
		h.long.leave(h.site)
	}
}

// longHeaders counts the messages with long headers that are being taken in.
type longHeaders struct {
	mu     sync.Mutex
	all    int
	bySite map[string]int
}

func (l *longHeaders) enter(site string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= maxLong || l.bySite[site] >= maxLongOfSite {
		return false
	}
	if l.bySite == nil {
		l.bySite = map[string]int{}
	}
	l.all++
	l.bySite[site]++
	return true
}

func (l *longHeaders) leave(site string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.bySite[site]--; l.bySite[site] == 0 {
		delete(l.bySite, site)
	}
}
