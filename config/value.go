package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"notices/config/document"
	"notices/spool/printable"
)

// value is the value of one key. Its methods read it into a field of the Config, or note
// what is allowed there and leave the default.
type value struct {
	l   *loader
	at  place
	raw any
}

// bad notes what is allowed and what was found.
func (v value) bad(allowed string) {
	v.l.bad(v.at, "must be "+allowed+", not "+show(v.raw))
}

// show is a value as an error may repeat it. Secrets never come here.
func show(raw any) string {
	switch x := raw.(type) {
	case string:
		return printable.Quote(x, document.MaxShown)
	case int64, float64, bool:
		return fmt.Sprint(x)
	case []any, []table:
		return "a list"
	case table:
		return "a section"
	case time.Time:
		return "a date"
	}
	return "something else"
}

// take parses a value, or notes the form that is allowed.
func take[T any](v value, to *T, form string, parse func(raw any) (T, bool)) {
	x, ok := parse(v.raw)
	if !ok {
		v.bad(form)
		return
	}
	*to = x
}

// matching makes a parse function for take, for texts that are valid.
func matching(valid func(string) bool) func(any) (string, bool) {
	return func(raw any) (string, bool) {
		s, ok := raw.(string)
		return s, ok && valid(s)
	}
}

// optional is matching for texts that may be empty.
func optional(valid func(string) bool) func(any) (string, bool) {
	return matching(func(s string) bool { return s == "" || valid(s) })
}

// str gives a text on one line. Control characters are refused in every text: a
// line break in a name or an address would be a header or a command of its own.
func (v value) str() (string, bool) {
	s, ok := v.raw.(string)
	if !ok {
		v.bad(`a text in quotes`)
		return "", false
	}
	if hasControl(s) {
		v.l.bad(v.at, noControl)
		return "", false
	}
	return s, true
}

const noControl = "must not contain line breaks or other control characters"

func hasControl(s string) bool { return strings.IndexFunc(s, unicode.IsControl) >= 0 }

func (v value) text(to *string) {
	if s, ok := v.str(); ok {
		*to = s
	}
}

func (v value) boolean(to *bool) {
	take(v, to, "true or false, without quotes", func(raw any) (b, ok bool) { b, ok = raw.(bool); return b, ok })
}

func (v value) number(to *int, low, high int) {
	form := fmt.Sprintf("a whole number from %d to %d, without quotes", low, high)
	if high == maxCount {
		form = fmt.Sprintf("a whole number, %d or more, without quotes", low)
	}
	take(v, to, form, func(raw any) (int, bool) {
		n, ok := raw.(int64)
		return int(n), ok && n >= int64(low) && n <= int64(high)
	})
}

// choice takes one of the words.
func (v value) choice(to *string, words ...string) {
	last := len(words) - 1
	take(v, to, `"`+strings.Join(words[:last], `", "`)+`" or "`+words[last]+`"`,
		matching(func(s string) bool { return slices.Contains(words, s) }))
}

// logTarget wants a file to be written with its folder: a misspelt "syslog" must
// not become a file.
func (v value) logTarget(to *string) {
	s, ok := v.str()
	switch {
	case !ok:
	case s == "stderr", s == "syslog":
		*to = s
	case strings.Contains(s, "/") && !strings.HasSuffix(s, "/"):
		*to = v.l.absolute(s)
	default:
		v.bad(`"stderr", "syslog" or a file with its folder, like "/var/log/notices.log"`)
	}
}

// path makes a file name absolute.
func (v value) path(to *string) {
	if s, ok := v.str(); ok && s != "" {
		*to = v.l.absolute(s)
	}
}

// caFile is a path of a file that has to be there and may be public.
func (v value) caFile(to *string) {
	if v.path(to); *to != "" {
		v.l.files = append(v.l.files, namedFile{v.at, *to, false})
	}
}

// privateFile is a path of a file that has to be there and that others must not read.
func privateFile(v value, to *string) {
	if v.path(to); *to != "" {
		v.l.files = append(v.l.files, namedFile{v.at, *to, true})
	}
}

// secret takes one of the ways to give a secret, and refuses a second one. It never
// repeats the value.
func (v value) secret(to *Secret, by secretKind) {
	s, ok := v.raw.(string)
	switch {
	case !ok:
		v.l.bad(v.at, "must be a text in quotes")
	case hasControl(s):
		v.l.bad(v.at, noControl)
	case s == "":
	case to.IsSet():
		v.l.bad(v.at, "gives the secret a second time, besides "+to.Key()+": keep one of them")
	default:
		if by == file || by == wholeFile {
			s = v.l.absolute(s)
			v.l.files = append(v.l.files, namedFile{v.at, s, true})
		}
		to.src = v.l.newSource(by, v.at, s)
		v.l.checkMode(v.at, by)
	}
}
