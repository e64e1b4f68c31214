package spool

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// ID names a message in the spool. It is a file name, an argument and a log
// field, so its alphabet is A-Za-z0-9._- and it starts with a letter or digit.
type ID string

// MaxIDLength keeps ".ID,EXPIRES,TIME,STATE" well within the 255 octets of a file name.
const MaxIDLength = 100

// Crockford's base 32: no I, L, O or U to misread on paper, and it sorts by value.
const idAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewID returns an id that sorts by time: eleven digits of microseconds since 1970,
// then five random ones, so that machines that share a spool do not collide.
func NewID(now time.Time) ID {
	var b [16]byte
	putBase32(b[:11], uint64(now.UnixMicro()))
	// An id is no secret. The runtime's source is seeded by the system and costs no
	// start-up; crypto/rand's first use would set up timers and the poller.
	putBase32(b[11:], rand.Uint64())
	return ID(b[:])
}

// putBase32 writes the low 5*len(dst) bits of v.
func putBase32(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = idAlphabet[v&31]
		v >>= 5
	}
}

// Valid reports whether id can name a message. Every id that comes from outside
// (an argument, a file name) is checked before it becomes part of a path.
func (id ID) Valid() bool {
	if id == "" || len(id) > MaxIDLength {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// Generated reports whether id is one of NewID's, or derived from one: a file of
// that name is ours, any other somebody put there.
func (id ID) Generated() bool {
	s := string(id)
	if i := strings.IndexAny(s, "-."); i >= 0 {
		s = s[:i]
	}
	return len(s) == 16 && strings.Trim(s, idAlphabet) == ""
}

// Return is the id under which the return for attempt n of id is stored. It is
// derived, so that a return stored twice after a crash is stored once.
func (id ID) Return(n int) ID { return id + ID("-"+strconv.Itoa(n)) }

// Original takes a return's id apart again.
func (id ID) Original() (original ID, n int, ok bool) {
	i := strings.LastIndexByte(string(id), '-')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(string(id[i+1:]))
	return id[:i], n, err == nil && n > 0
}
