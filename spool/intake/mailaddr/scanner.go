package mailaddr

import "strings"

// Kinds of tokens. The others are named by their first character: , ; : ( < [ "
const (
	end  = 0
	text = 'a'
)

// token is a piece of an address list.
type token struct {
	kind  byte
	text  string
	start int
}

// scanner cuts an address list into comments, quoted strings, angle brackets, domain
// literals, separators and the text between them. A bracket or quote that is never
// closed is text. Each kind is given up for good then, so that a megabyte of "("
// is not searched through for each of them.
type scanner struct {
	s        string
	at       int
	unclosed [4]bool
}

func (s *scanner) next() token {
	start := s.at
	if start == len(s.s) {
		return token{kind: end, start: start}
	}
	switch c := s.s[start]; c {
	case ',', ';', ':':
		s.at++
		return token{c, s.s[start:s.at], start}
	case '(', '<', '[', '"':
		if n := s.closed(c); n > 0 {
			s.at += n
			return token{c, s.s[start:s.at], start}
		}
		s.at++
	}
	s.skipText()
	return token{text, s.s[start:s.at], start}
}

// skipText goes on to what is no text. An encoded word (RFC 2047) is text whatever
// is in it: some programs leave commas in there.
func (s *scanner) skipText() {
	for s.at < len(s.s) {
		switch c := s.s[s.at]; c {
		case ',', ';', ':':
			return
		case '(', '<', '[', '"':
			if s.closed(c) > 0 {
				return
			}
		case '=':
			s.at += encodedWord(s.s[s.at:])
		}
		s.at++
	}
}

// closed is the length of what begins with the bracket or quote c; 0: it has no end.
func (s *scanner) closed(c byte) int {
	kind := strings.IndexByte(`(<["`, c)
	if s.unclosed[kind] {
		return 0
	}
	n := 0
	switch rest := s.s[s.at:]; c {
	case '(':
		n = comment(rest)
	case '"':
		n = QuotedLen(rest)
	case '<':
		n = strings.IndexByte(rest, '>') + 1
	case '[':
		n = strings.IndexByte(rest, ']') + 1
	}
	s.unclosed[kind] = n == 0
	return n
}

// QuotedLen is the length of the quoted string that s begins with; 0 if it has no end.
func QuotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// comment: they nest.
func comment(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// encodedWord is the length of the encoded word that s begins with, less one; 0: none.
func encodedWord(s string) int {
	if !strings.HasPrefix(s, "=?") {
		return 0
	}
	word := s[:min(len(s), 400)]
	if i := strings.IndexAny(word, " \t<>\""); i >= 0 {
		word = word[:i]
	}
	parts := strings.SplitN(word, "?", 5)
	if len(parts) < 5 || !strings.HasPrefix(parts[4], "=") {
		return 0
	}
	return len(word) - len(parts[4])
}
