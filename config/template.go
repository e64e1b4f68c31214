package config

import (
	"cmp"
	_ "embed"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

//go:embed template.toml
var template string

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
			if line = plain; !sets(set, here) && (commented || here.N > 0) {
				line = "# " + plain
			}
			if here.N == 2 { // an example; the real servers replace it
				line = cmp.Or(furtherServers(set), line)
			}
		case !assigns || strings.Contains(key, " "): // words
		case here.N == 2 && sets(set, here):
			continue
		default:
			at := place{Section: here.Section, N: here.N, Key: key}
			line = "# " + plain
			if i := slices.IndexFunc(set, func(s Setting) bool { return s.Place() == at }); i >= 0 {
				line = set[i].String()
			}
		}
		out.WriteString(line)
	}
	return []byte(out.String())
}

// nextSection is the place of a header that follows the section here.
func nextSection(here place, header string) place {
	next := place{Section: strings.Trim(header, "[]\n")}
	if strings.HasPrefix(header, "[[") {
		next.N = 1
		if next.Section == here.Section {
			next.N = here.N + 1
		}
	}
	return next
}

// furtherServers are the lines of Server 2 and those after it.
func furtherServers(set []Setting) string {
	var servers []string
	for at := (place{Section: "server", N: 2}); sets(set, at); at.N++ {
		text := "[[server]]\n"
		for _, s := range set {
			if s.Section == at.Section && s.N == at.N {
				text += s.String()
			}
		}
		servers = append(servers, text)
	}
	return strings.Join(servers, "\n")
}

// sets reports whether one of the settings is in that section.
func sets(set []Setting, at place) bool {
	return slices.ContainsFunc(set, func(s Setting) bool { return s.Section == at.Section && s.N == at.N })
}

// Check says what is wrong with the value that a setting has for its key, if anything is.
// Beside are settings that it depends on, if there are any.
func Check(s Setting, beside ...Setting) error {
	if text, ok := s.Value.(string); ok && !utf8.ValidString(text) {
		return errors.New("is not UTF-8")
	}
	text := []byte(s.Header() + s.String())
	if len(beside) > 0 {
		text = Template(append(slices.Clip(beside), s)...)
	}
	c, err := parse("notices.toml", text, 0o600, Intake)
	if err != nil {
		return err
	}
	for _, e := range c.Problems {
		if e.place.Key == s.Key && e.place.Section == s.Section {
			return errors.New(e.Msg)
		}
	}
	return nil
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
