package submission

import (
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
	// A header that is longer than this is a long one. Of all sessions maxLong may have one at
	// the same time, and of a site's maxLongOfSite.
	longHeader    = 32 << 10
	maxLong       = 32
	maxLongOfSite = 8
)

// headed reads a message whose header is not too long.
type headed struct {
	r      io.Reader
	site   string
	long   *longHeaders
	isLong bool // long counts it
	line   int  // octets of this line
	header int  // octets so far
	fields int
	body   bool
}

func (h *headed) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	for _, c := range p[:n] {
		if h.body {
			break
		}
		if refused := h.take(c); refused != nil {
			return 0, refused
		}
	}
	return n, err
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
