package mailbox

// maxNesting is how deep lists may stand in lists. What is asked for has two levels.
const maxNesting = 100

// nesting finds lists in lists without end, such as a BODYSTRUCTURE of a million parentheses. The
// library needs minutes and a gigabyte for one (v2.0.0-beta.8). It follows the octets that a
// server sends just so far as to tell what is not syntax: quoted text, and literals, which only
// an answer with a number (`* 1 FETCH`) has here.
type nesting struct {
	column  int  // in the line, up to 3
	data    bool // the line is an answer with a number
	quoted  bool
	escaped bool // by a backslash
	depth   int
	size    int64 // of a literal; -1: none is being read
	closed  bool  // the } was the last octet
	literal int64 // octets of a literal that are to come
}

// tooDeep takes what was read next.
func (n *nesting) tooDeep(p []byte) bool {
	for len(p) > 0 {
		if skip := min(n.literal, int64(len(p))); skip > 0 {
			n.literal -= skip
			p = p[skip:]
			continue
		}
		if n.take(p[0]) {
			return true
		}
		p = p[1:]
	}
	return false
}

func (n *nesting) take(c byte) (bad bool) {
	if c == '\n' {
		return n.line()
	}
	digit := c >= '0' && c <= '9'
	if n.column < 3 {
		n.column++
		n.data = n.column == 3 && digit // `* 1`
	}
	switch {
	case n.escaped:
		n.escaped = false
	case n.quoted:
		n.escaped, n.quoted = c == '\\', c != '"'
	case c == '"':
		n.quoted = n.data
	case c == '(':
		n.depth++
	case c == ')':
		n.depth--
	}
	switch {
	case c == '{' && !n.quoted:
		n.size, n.closed = 0, false
	case digit && n.size >= 0 && n.size < 1<<40:
		n.size = n.size*10 + int64(c-'0')
	case c == '}':
		n.closed = n.size >= 0
	case c != '+' && c != '\r':
		n.size, n.closed = -1, false
	}
	return n.depth > maxNesting
}

// line ends a line, or goes on with a literal.
func (n *nesting) line() (bad bool) {
	if n.quoted {
		return true // it would have no end here
	}
	if n.closed && n.data {
		n.literal = n.size
		n.size, n.closed = -1, false
		return false
	}
	*n = nesting{size: -1}
	return false
}
