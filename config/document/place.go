package document

import (
	"fmt"
	"strconv"
	"strings"

	"notices/spool/printable"
)

// Place is where in the document something stands.
type Place struct {
	Section string // "" for a key before the first section
	N       int    // which one of an array of tables, from 1; 0: not of an array
	Key     string // "" for the section as a whole
}

// String points at the place as a person would.
func (p Place) String() string {
	s := "[" + p.Section + "]"
	switch {
	case p.Section == "":
		return ShowName(p.Key)
	case p.N > 0:
		s = "[" + s + "] " + strconv.Itoa(p.N)
	}
	if p.Key != "" {
		s += " " + ShowName(p.Key)
	}
	return s
}

// MaxShown is how much of a value a person needs to recognize it, in octets.
const MaxShown = 60

// ShowName is a name from the file, in quotes if it needs them.
func ShowName(s string) string {
	q := printable.Quote(s, MaxShown)
	if q == `"`+s+`"` && s != "" && !strings.ContainsRune(s, ' ') {
		return s
	}
	return q
}

// Setting is one line that `notices init` sets in the config that it writes.
type Setting struct {
	Section string // "site", "server"
	N       int    // which [[server]], from 1; 0 for a single section
	Key     string
	Value   any // a string, an int or a bool
}

// Place is where the setting stands.
func (s Setting) Place() Place { return Place{s.Section, s.N, s.Key} }

// Parsed is Value as Parse returns it.
func (s Setting) Parsed() any {
	if n, ok := s.Value.(int); ok {
		return int64(n)
	}
	return s.Value
}

// String is the line.
func (s Setting) String() string {
	text := fmt.Sprint(s.Value)
	if _, ok := s.Value.(string); ok {
		text = Quote(text)
	}
	return s.Key + " = " + text + "\n"
}

// Header is the line above the section.
func (s Setting) Header() string {
	if s.N > 0 {
		return "[[" + s.Section + "]]\n"
	}
	return "[" + s.Section + "]\n"
}

// Quote writes a TOML basic string.
func Quote(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
