package config

import (
	"bytes"
	"strings"
)

// lineIndex tells in which line a section or key stands. The TOML library knows
// that only of its own errors, and of one [[server]] alone. It is made when there
// is something to report, from a document that has been parsed already: it need
// not recognize mistakes, only never fail on one.
type lineIndex map[place]int

// line is the line of at, else of the table that it is missing from, else 0.
func (x lineIndex) line(at place) int {
	for _, p := range []place{at, {section: at.section, n: at.n}, {section: at.section}} {
		if n, ok := x[p]; ok {
			return n
		}
	}
	return 0
}

// index scans a document.
func index(data []byte) lineIndex {
	s := scan(data)
	return s.found
}

// tooDeep scans a document that was not parsed yet. It returns the line from which
// brackets or dotted names go deeper than any config, or 0.
func tooDeep(data []byte) int {
	if s := scan(data); s.deep {
		return s.line
	}
	return 0
}

// maxDepth is twice what a config of inline tables needs.
const maxDepth = 8

func scan(data []byte) *scanner {
	s := &scanner{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), line: 1, found: lineIndex{}, spans: map[place]span{}, count: map[string]int{}}
	for s.pos < len(s.data) && !s.deep {
		switch c := s.data[s.pos]; c {
		case '\n', ' ', '\t', '\r':
			s.skip()
		case '#':
			s.skipLine()
		case '[':
			s.header()
		default:
			s.assignment()
		}
	}
	return s
}

// span is from one line to another, both included.
type span struct{ from, to int }

type scanner struct {
	data  []byte
	pos   int
	line  int
	found lineIndex
	spans map[place]span // for Edit: keys of a plain section, and the section from its header to its last key
	count map[string]int // tables seen of each array
	here  []string       // the header that holds
	deep  bool           // maxDepth was passed at line: the scan has ended there
}

// skip passes one octet, counting lines.
func (s *scanner) skip() {
	if s.data[s.pos] == '\n' {
		s.line++
	}
	s.pos++
}

func (s *scanner) skipLine() {
	for s.pos < len(s.data) && s.data[s.pos] != '\n' {
		s.pos++
	}
}

// note remembers where the key of that path stands first.
func (s *scanner) note(path []string, line int) {
	at := place{section: path[0], n: s.count[path[0]]}
	if len(path) > 1 {
		at.key = path[1] // of a deeper path, the key that leads there
	}
	for _, p := range []place{at, {section: at.section}} {
		if _, ok := s.found[p]; !ok {
			s.found[p] = line
		}
	}
}

func (s *scanner) header() {
	line := s.line
	s.pos++
	array := s.pos < len(s.data) && s.data[s.pos] == '['
	if array {
		s.pos++
	}
	path := s.name("]\n")
	if array && len(path) == 1 {
		s.count[path[0]]++
	}
	s.here = path
	s.note(path, line)
	if at := s.section(); len(path) == 1 {
		s.spans[at] = span{line, line}
	}
	s.skipLine()
}

// section is the place of the header that holds.
func (s *scanner) section() place { return place{section: s.here[0], n: s.count[s.here[0]]} }

func (s *scanner) assignment() {
	line := s.line
	path := append(append([]string(nil), s.here...), s.name("=\n")...)
	s.note(path, line)
	s.value()
	if len(s.here) != 1 || len(path) != 2 {
		return
	}
	at := s.section()
	last := s.line
	if s.data[s.pos-1] == '\n' {
		last--
	}
	s.spans[at] = span{s.spans[at].from, last}
	at.key = path[1]
	s.spans[at] = span{line, last}
}

// name reads a dotted name up to one of the stops; it has at least one part.
func (s *scanner) name(stops string) []string {
	path := []string{""}
	for s.pos < len(s.data) && strings.IndexByte(stops, s.data[s.pos]) < 0 {
		last := len(path) - 1
		switch c := s.data[s.pos]; c {
		case '"', '\'':
			from := s.pos
			s.text()
			path[last] += unquote(string(s.data[from:s.pos]))
			continue
		case '.':
			path = append(path, "")
			if s.deep = len(path) > maxDepth; s.deep {
				return path
			}
		case ' ', '\t', '\r':
		default:
			path[last] += string(rune(c))
		}
		s.pos++
	}
	return path
}

// unquote reads a quoted name as the parser does.
func unquote(q string) string {
	doc, _ := parseTOML("", []byte("name = "+q))
	name, _ := doc["name"].(string)
	return name
}

// value passes all up to the end of the line on which the value ends.
func (s *scanner) value() {
	depth := 0
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case '"', '\'':
			s.text()
			continue
		case '#':
			s.skipLine()
			continue
		case '[', '{':
			if depth++; depth > maxDepth {
				s.deep = true
				return
			}
		case ']', '}':
			depth--
		case '\n':
			if depth <= 0 {
				s.skip()
				return
			}
		}
		s.skip()
	}
}

// text passes a text in its quotes, one or three of them.
func (s *scanner) text() {
	quote := s.data[s.pos]
	end := bytes.Repeat([]byte{quote}, 3)
	if !bytes.HasPrefix(s.data[s.pos:], end) {
		end = end[:1]
	}
	s.pos += len(end)
	for s.pos < len(s.data) {
		if bytes.HasPrefix(s.data[s.pos:], end) {
			s.pos += len(end)
			for len(end) == 3 && s.pos < len(s.data) && s.data[s.pos] == quote { // a text may end in quotes
				s.pos++
			}
			return
		}
		if s.data[s.pos] == '\\' && quote == '"' && s.pos+1 < len(s.data) {
			s.skip()
		}
		s.skip()
	}
}
