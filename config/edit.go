package config

import (
	"errors"
	"reflect"
	"strings"
)

// ErrForm is a config that is written in a way that Edit does not change, such as with
// inline tables: it is for a person to change.
var ErrForm = errors.New("is written in a form that only a person can change, such as inline tables or dotted keys")

// Edit returns the text of a config with some keys set and others taken out. All else
// stays as it is, comments too. A key that is set replaces what stands there, or comes to
// the end of its section; a [[server]] with the next number is added at the end. The error
// is that of a text that is no TOML, or ErrForm: nothing is guessed.
func Edit(text []byte, set, remove []Setting) ([]byte, error) {
	before, err := parseTOML("notices.toml", text)
	if err != nil {
		return nil, err
	}
	e := &editing{lines: strings.SplitAfter(string(text), "\n"), at: scan(text)}
	for _, s := range remove {
		e.remove(s)
		expectNothing(before, s)
	}
	for _, s := range set {
		e.put(s)
		expect(before, s)
	}
	edited := []byte(e.text())
	after, err := parseTOML("notices.toml", edited)
	if err != nil || !reflect.DeepEqual(before, after) {
		return nil, ErrForm
	}
	return edited, nil
}

// editing is a text whose lines are replaced, or get others behind them.
type editing struct {
	lines  []string
	at     *scanner
	behind map[int]string // by line, from 1; 0: before the first
	added  []string       // sections at the end, each with its header
	places []place        // of added
}

// remove takes out a key.
func (e *editing) remove(s Setting) {
	if where, ok := e.at.spans[s.place()]; ok {
		for n := where.from; n <= where.to; n++ {
			e.lines[n-1] = ""
		}
	}
}

// put sets a key.
func (e *editing) put(s Setting) {
	at := s.place()
	section := place{section: at.section, n: at.n}
	if where, ok := e.at.spans[at]; ok {
		comment := ""
		if where.from == where.to {
			comment = trailingComment(e.lines[where.from-1])
		}
		e.remove(s)
		e.lines[where.from-1] = strings.TrimSuffix(s.String(), "\n") + comment + "\n"
		return
	}
	if where, ok := e.at.spans[section]; ok {
		if e.behind == nil {
			e.behind = map[int]string{}
		}
		e.behind[where.to] += s.String()
		return
	}
	for i, p := range e.places {
		if p == section {
			e.added[i] += s.String()
			return
		}
	}
	e.places = append(e.places, section)
	e.added = append(e.added, "\n"+s.header()+s.String())
}

func (e *editing) text() string {
	var b strings.Builder
	for i, line := range e.lines {
		b.WriteString(line)
		if more := e.behind[i+1]; more != "" {
			if line != "" && !strings.HasSuffix(line, "\n") {
				b.WriteString("\n")
			}
			b.WriteString(more)
		}
	}
	if b.Len() > 0 && len(e.added) > 0 && !strings.HasSuffix(b.String(), "\n") {
		b.WriteString("\n")
	}
	return b.String() + strings.Join(e.added, "")
}

// trailingComment is the comment behind a value on its line, with the blanks before it.
func trailingComment(line string) string {
	s := &scanner{data: []byte(strings.TrimRight(line, "\r\n"))}
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case '"', '\'':
			s.text()
		case '#':
			before := strings.TrimRight(string(s.data[:s.pos]), " \t")
			return string(s.data[len(before):])
		default:
			s.pos++
		}
	}
	return ""
}

// expect puts the setting into a document as it has to be afterwards.
func expect(doc map[string]any, s Setting) {
	var value any = s.Value
	if n, ok := value.(int); ok {
		value = int64(n)
	}
	if t := tableOf(doc, s, true); t != nil {
		t[s.Key] = value
	}
}

func expectNothing(doc map[string]any, s Setting) {
	if t := tableOf(doc, s, false); t != nil {
		delete(t, s.Key)
	}
}

// tableOf is the table of a document that the setting is in; one that is not there yet is
// made if it can be.
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
