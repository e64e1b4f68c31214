package config

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

//go:embed template.toml
var template string

// Setting is one line that `notices init` sets in the config that it writes.
type Setting struct {
	Section string // "site", "server"
	N       int    // which [[server]], from 1; 0 for a section that there is one of
	Key     string
	Value   any // a string, an int or a bool
}

// Template is the commented config with these settings in it. What they do not set
// stays an example behind a #; without any, name and host are examples that hold.
// Only sections that are there once, and [[server]], can be set.
func Template(set ...Setting) []byte {
	w := &templating{set: set}
	for line := range strings.Lines(template) {
		w.line(line)
	}
	return []byte(w.out.String())
}

// templating fills in one template, line by line.
type templating struct {
	set     []Setting
	out     strings.Builder
	here    place // the section that the line is in
	example bool  // the lines of a further [[server]], which real ones replace
}

func (w *templating) line(line string) {
	plain, commented := strings.CutPrefix(line, "# ")
	if strings.HasPrefix(plain, "[") {
		w.header(plain, commented)
		return
	}
	key, _, ok := strings.Cut(plain, " = ")
	switch {
	case !ok || strings.Contains(key, " "):
		if strings.TrimSpace(line) == "" { // it ends a section
			w.example = false
		}
		w.out.WriteString(line)
	case w.example && w.has(2):
	default:
		w.key(key, plain, line)
	}
}

// header writes a section's, commented out unless something in it is set.
func (w *templating) header(plain string, commented bool) {
	many := strings.HasPrefix(plain, "[[")
	at := place{section: strings.Trim(plain, "[]\n")}
	if at.section == "server" && w.here.section == "server" {
		w.example = true
		w.servers()
		if w.has(2) {
			return
		}
	} else if many {
		at.n = 1
	}
	w.here = at
	keep := !commented && (len(w.set) == 0 || !many) || w.sets(at)
	if !keep {
		w.out.WriteString("# ")
	}
	w.out.WriteString(plain)
}

// key writes a setting, or the template's own line: one that holds only when
// nothing at all is set.
func (w *templating) key(key, plain, line string) {
	at := place{section: w.here.section, n: w.here.n, key: key}
	for _, s := range w.set {
		if s.place() == at && !w.example {
			w.out.WriteString(s.String())
			return
		}
	}
	if len(w.set) > 0 && plain == line {
		w.out.WriteString("# ")
	}
	w.out.WriteString(line)
}

// servers writes Server 2 and those after it.
func (w *templating) servers() {
	for n := 2; w.has(n); n++ {
		w.out.WriteString("[[server]]\n")
		for _, s := range w.set {
			if s.Section == "server" && s.N == n {
				w.out.WriteString(s.String())
			}
		}
		if w.has(n + 1) {
			w.out.WriteString("\n")
		}
	}
}

func (w *templating) has(n int) bool { return w.sets(place{section: "server", n: n}) }

func (w *templating) sets(at place) bool {
	for _, s := range w.set {
		if s.Section == at.section && s.N == at.n {
			return true
		}
	}
	return false
}

func (s Setting) place() place { return place{section: s.Section, n: s.N, key: s.Key} }

// value is the value as the TOML library gives it.
func (s Setting) value() any {
	if n, ok := s.Value.(int); ok {
		return int64(n)
	}
	return s.Value
}

// String is the line.
func (s Setting) String() string {
	switch v := s.Value.(type) {
	case int:
		return s.Key + " = " + strconv.Itoa(v) + "\n"
	case bool:
		return s.Key + " = " + strconv.FormatBool(v) + "\n"
	default:
		return s.Key + " = " + quote(fmt.Sprint(v)) + "\n"
	}
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
	if s.N > 0 {
		return "[[" + s.Section + "]]\n"
	}
	return "[" + s.Section + "]\n"
}

// Parse reads a config that is not in its file yet, without looking at the files
// that it names. Path is where it is going to be. The error is as Load's.
func Parse(path string, data []byte) (*Config, error) {
	c, err := parse(path, data, 0o600, Intake)
	if err != nil {
		return nil, err
	}
	return c, c.Problems.err()
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
