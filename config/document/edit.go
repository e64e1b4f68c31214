package document

import (
	"errors"
	"reflect"
	"slices"
	"strings"
)

// ErrForm says that Edit cannot change a config, which is written with inline tables or
// dotted keys.
var ErrForm = errors.New("is written in a form that only a person can change, such as inline tables or dotted keys")

// Edit returns the text of a config with some keys set and others removed. Everything else
// stays as it is, comments too. A key that is set replaces the old one, or goes to the end
// of its section; a [[server]] with the next number is added at the end. The error is that
// of a text that is not TOML, or ErrForm: Edit does not guess.
func Edit(text []byte, set, remove []Setting) ([]byte, error) {
	want, err := Parse(text)
	if err != nil {
		return nil, err
	}
	e := &editor{lines: strings.SplitAfter(string(text), "\n"), outline: Index(text)}
	for _, s := range remove {
		e.remove(s.Place())
		delete(tableOf(want, s, false), s.Key)
	}
	for _, s := range set {
		e.put(s)
		if t := tableOf(want, s, true); t != nil {
			t[s.Key] = s.Parsed()
		}
	}
	edited := []byte(strings.Join(e.lines, ""))
	got, err := Parse(edited)
	if err != nil || !reflect.DeepEqual(got, want) {
		return nil, ErrForm
	}
	return edited, nil
}

// editor changes a text line by line. A new line goes into the element of an old one, so
// that the numbers of the outline stay right.
type editor struct {
	lines   []string
	outline Outline
}

// last is the last statement for which is holds, or nil.
func (e *editor) last(is func(*statement) bool) *statement {
	for i := range slices.Backward(e.outline) {
		if s := &e.outline[i]; s.plain && is(s) {
			return s
		}
	}
	return nil
}

// remove removes a key.
func (e *editor) remove(at Place) {
	if old := e.last(func(s *statement) bool { return s.at == at }); old != nil {
		clear(e.lines[old.from-1 : old.to])
	}
}

// put sets a key.
func (e *editor) put(s Setting) {
	at := s.Place()
	if old := e.last(func(s *statement) bool { return s.at == at }); old != nil {
		comment := ""
		if old.from == old.to {
			comment = trailingComment(e.lines[old.from-1])
		}
		e.remove(at)
		e.lines[old.from-1] = strings.TrimSuffix(s.String(), "\n") + comment + "\n"
		return
	}
	section := Place{Section: at.Section, N: at.N}
	end := e.last(func(s *statement) bool { return s.at.Section == section.Section && s.at.N == section.N })
	if end == nil {
		e.endLine(len(e.lines))
		e.lines = append(e.lines, "\n"+s.Header())
		end = &statement{at: section, to: len(e.lines), plain: true}
		e.outline = append(e.outline, *end)
	}
	e.endLine(end.to)
	e.lines[end.to-1] += s.String()
}

// endLine gives the last line of a file its line end, if it has none.
func (e *editor) endLine(n int) {
	if line := e.lines[n-1]; line != "" && !strings.HasSuffix(line, "\n") {
		e.lines[n-1] += "\n"
	}
}

// trailingComment is the comment behind a value on its line, with the blanks before it:
// what can be left out.
func trailingComment(line string) string {
	line = strings.TrimRight(line, "\r\n")
	for i := range line {
		if line[i] != '#' {
			continue
		}
		before := strings.TrimRight(line[:i], " \t")
		if _, err := Parse([]byte(before)); err == nil {
			return line[len(before):]
		}
	}
	return ""
}

// tableOf is the table of a document that the setting is in. A missing one is created if
// create is set and it is the next one.
func tableOf(doc map[string]any, s Setting, create bool) map[string]any {
	if s.N == 0 {
		t, ok := doc[s.Section].(map[string]any)
		if !ok && create {
			t = map[string]any{}
			doc[s.Section] = t
		}
		return t
	}
	list, _ := doc[s.Section].([]map[string]any)
	if s.N == len(list)+1 && create {
		list = append(list, map[string]any{})
		doc[s.Section] = list
	}
	if s.N > len(list) {
		return nil
	}
	return list[s.N-1]
}
