package config

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

//go:embed template.toml
var template string

// Setting is one line that `notices init` sets in the config that it writes.
type Setting struct {
	Section string // "site", "server"
	N       int    // which [[server]], from 1; 0 for a single section
	Key     string
	Value   any // a string, an int or a bool
}

// Template is the commented config with these settings in it. Every other key is an
// example behind a #; without any setting, the examples of name and host are valid ones.
// Only single sections and [[server]] can be set.
func Template(set ...Setting) []byte {
	if len(set) == 0 {
		return []byte(template)
	}
	var out strings.Builder
	var here place // the section that the line is in
	for line := range strings.Lines(template) {
		plain, commented := strings.CutPrefix(line, "# ")
		key, _, assigns := strings.Cut(plain, " = ")
		switch {
		case strings.HasPrefix(plain, "["):
			here = nextSection(here, plain)
			if line = plain; !sets(set, here) && (commented || here.n > 0) {
				line = "# " + plain
			}
			if here.n == 2 { // an example; the real servers replace it
				line = cmp.Or(furtherServers(set), line)
			}
		case !assigns || strings.Contains(key, " "): // words
		case here.n == 2 && sets(set, here):
			continue
		default:
			at := place{section: here.section, n: here.n, key: key}
			line = "# " + plain
			if i := slices.IndexFunc(set, func(s Setting) bool { return s.place() == at }); i >= 0 {
				line = set[i].String()
			}
		}
		out.WriteString(line)
	}
	return []byte(out.String())
}

// nextSection is the place of a header that follows the section here.
func nextSection(here place, header string) place {
	next := place{section: strings.Trim(header, "[]\n")}
	if strings.HasPrefix(header, "[[") {
		next.n = 1
		if next.section == here.section {
			next.n = here.n + 1
		}
	}
	return next
}

// furtherServers are the lines of Server 2 and those after it.
func furtherServers(set []Setting) string {
	var servers []string
	for at := (place{section: "server", n: 2}); sets(set, at); at.n++ {
		text := "[[server]]\n"
		for _, s := range set {
			if s.Section == at.section && s.N == at.n {
				text += s.String()
			}
		}
		servers = append(servers, text)
	}
	return strings.Join(servers, "\n")
}

// sets reports whether one of the settings is in that section.
func sets(set []Setting, at place) bool {
	return slices.ContainsFunc(set, func(s Setting) bool { return s.Section == at.section && s.N == at.n })
}

func (s Setting) place() place { return place{section: s.Section, n: s.N, key: s.Key} }

// value is Value as the TOML library returns it.
func (s Setting) value() any {
	if n, ok := s.Value.(int); ok {
		return int64(n)
	}
	return s.Value
}

// String is the line.
func (s Setting) String() string {
	text := fmt.Sprint(s.Value)
	if _, ok := s.Value.(string); ok {
		text = quote(text)
	}
	return s.Key + " = " + text + "\n"
}

// Check says what is wrong with the value for its key, if anything is. Beside are
// settings that it depends on, if there are any.
func (s Setting) Check(beside ...Setting) error {
	if text, ok := s.Value.(string); ok && !utf8.ValidString(text) {
		return errors.New("is not UTF-8")
	}
	text := []byte(s.header() + s.String())
	if len(beside) > 0 {
		text = Template(append(slices.Clip(beside), s)...)
	}
	c, err := parse("notices.toml", text, 0o600, Intake)
	if err != nil {
		return err
	}
	for _, e := range c.Problems {
		if e.place.key == s.Key && e.place.section == s.Section {
			return errors.New(e.Msg)
		}
	}
	return nil
}

// header is that of the section.
func (s Setting) header() string {
	return (&section{name: s.Section, many: s.N > 0}).header() + "\n"
}

// Parse reads a config that is not in its file yet, without looking at the files
// that it names. Path is where it is going to be. The error is as Load's.
func Parse(path string, data []byte) (*Config, error) {
	c, err := parse(path, data, 0o600, Intake)
	if err != nil {
		return nil, err
	}
	return c, c.Problems.filter(Everything.covers)
}

// quote writes a TOML basic string.
func quote(s string) string {
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
