package document

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// Error is why a text cannot be read as TOML.
type Error struct {
	Line int    // from 1; 0: not one line's fault
	Key  string // the key or the section that is there twice; else ""
	Msg  string // what is wrong, and what is allowed or to be done
	// Before is what stands in front of a value that is wrong, as section.key. It may be
	// a secret in the wrong place, so it is to be shown only if there is such a key.
	Before string
}

func (e *Error) Error() string { return strings.TrimSpace(e.Key + " " + e.Msg) }

// Parse parses a document into plain maps: decoding into `any` costs nothing on top of the
// parse, where decoding into a struct would walk it by reflection and stop at the first
// wrong value. The error is an *Error.
func Parse(data []byte) (map[string]any, error) {
	if err := checkOctets(data); err != nil {
		return nil, err
	}
	text := withoutComments(data)
	if err := checkShape(text); err != nil {
		return nil, err
	}
	var v any
	if _, err := toml.NewDecoder(bytes.NewReader(text)).Decode(&v); err != nil {
		return nil, syntaxError(data, err)
	}
	doc, _ := v.(map[string]any)
	return doc, nil
}

// checkOctets refuses what TOML does not allow, in comments too, which the parser does not see.
func checkOctets(data []byte) error {
	e := new(Error)
	for line := range bytes.Lines(data) {
		e.Line++
		if !utf8.Valid(line) {
			e.Msg = "is not UTF-8: save the file as UTF-8"
			return e
		}
		for _, c := range bytes.TrimRight(line, "\r\n") {
			if c < ' ' && c != '\t' || c == 0x7f {
				e.Msg = "has a control character: remove it"
				return e
			}
		}
	}
	return nil
}

// withoutComments cuts comments, but for those behind a text that a # may be part of. The
// parser takes as long for a letter of a comment as for any other, and the template is
// mostly comments: without this, BenchmarkLoad/template takes four times as long, in each
// enqueue.
func withoutComments(data []byte) []byte {
	if bytes.Contains(data, []byte(`"""`)) || bytes.Contains(data, []byte("'''")) {
		return data // in a text of several lines, a # begins no comment
	}
	text := make([]byte, 0, len(data))
	for line := range bytes.Lines(data) {
		before, _, found := bytes.Cut(line, []byte{'#'})
		if !found || bytes.ContainsAny(before, `'\`) || bytes.Count(before, []byte{'"'})%2 != 0 {
			text = append(text, line...)
			continue
		}
		text = append(append(text, before...), '\n')
	}
	return text
}

// The parser's memory grows by the square of how deep inline tables and dotted names go:
// a file of 16 KiB takes more than 1 GiB (TestDeepNesting).
const (
	smallFile       = 1 << 10 // of any shape
	maxInlineTables = 256
	maxDots         = 64 // outside quotes, on one line
)

// checkShape refuses files that would take the parser minutes. Nobody writes one by hand.
func checkShape(text []byte) error {
	if len(text) < smallFile {
		return nil
	}
	e := &Error{Msg: "is not a config file: it has too many names or brackets within each other"}
	if bytes.Count(text, []byte{'{'}) > maxInlineTables {
		return e
	}
	for line := range bytes.Lines(text) {
		e.Line++
		dots := bytes.Count(line, []byte{'.'})
		if dots <= maxDots {
			continue
		}
		for i, part := range bytes.Split(bytes.ReplaceAll(line, []byte{'\''}, []byte{'"'}), []byte{'"'}) {
			if i%2 == 1 {
				dots -= bytes.Count(part, []byte{'.'})
			}
		}
		if dots > maxDots {
			return e
		}
	}
	return nil
}

// syntaxError says in plain words why a file is not TOML. Nothing of the parser's message
// is passed on but names of keys: many of them quote what may be a password.
func syntaxError(data []byte, err error) *Error {
	var pe toml.ParseError
	errors.As(err, &pe) // it is always one
	// At the end of the file the parser counts one line too many or too few.
	e := &Error{Msg: "is not valid TOML", Line: min(max(pe.Position.Line, 1), 1+bytes.Count(data, []byte{'\n'}))}
	// "Key 'a.b' has already been defined."
	if rest, ok := strings.CutPrefix(pe.Message, "Key '"); ok {
		e.Key, _, _ = strings.Cut(rest, "'")
		e.Msg = "is set twice"
		if !strings.Contains(e.Key, ".") {
			e.Key, e.Msg = "["+e.Key+"]", "is in the file twice; merge the two"
		}
		return e
	}
	for i, t := range syntaxTexts {
		for _, part := range strings.Split(t.parser, "|") {
			if strings.Contains(pe.Message, part) {
				e.Msg = t.text
				if i == len(syntaxTexts)-1 {
					e.Before = pe.LastKey
				}
				return e
			}
		}
	}
	return e
}

// syntaxTexts are parts of the parser's messages, and the messages that replace them. TestBadConfigs of package
// config checks each, and FuzzSyntaxErrorsHideSecrets checks that no message shows a password.
var syntaxTexts = [...]struct{ parser, text string }{
	{"strings cannot contain newlines|EOF; expected '|EOF; expected \"", "has a text without its closing quote"},
	{"hexadecimal digits|scape", `has a backslash in a "text": write two of them, or the text in '...'`},
	{"end with a newline", "has more on this line than one key = value: is a quote missing?"},
	{"array terminator|unexpected comma", `has a list that is not closed, or has a comma too few or too many: ["a", "b"]`},
	{"inline table", "has an inline table that is not closed or lacks a comma"},
	{"table name|table array name|table separator", "has a section header that is not of the form [name] or [[name]]"},
	{"key separator|expected '.' or '='|keys cannot|key name|unexpected '", "is not of the form: key = value"},
	{"value|nvalid|range|digit|sign with|not a|floats", `has a value that is not valid; put text in quotes, like "text"`},
}
