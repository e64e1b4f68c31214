package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// parseTOML parses a document into plain maps: decoding into `any` costs nothing
// on top of the parse, where decoding into a struct would walk it by reflection
// and stop at the first wrong value.
func parseTOML(path string, data []byte) (doc map[string]any, err error) {
	if err := checkBytes(path, data); err != nil {
		return nil, err
	}
	if err := checkShape(path, data); err != nil {
		return nil, err
	}
	// The parser panics where it meets a mistake of its own; a strange file must not
	// end the program.
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, &Error{File: path, Msg: "cannot be understood as TOML"}
		}
	}()
	var v any
	if _, err := toml.NewDecoder(bytes.NewReader(withoutComments(data))).Decode(&v); err != nil {
		return nil, syntaxError(path, data, err)
	}
	doc, _ = v.(map[string]any)
	return doc, nil
}

// checkBytes refuses what no text file has. It comes before the parser, which
// reports such bytes through a queue of ten and waits for ever when it is full.
func checkBytes(path string, data []byte) error {
	if !utf8.Valid(data) {
		i := bytes.IndexFunc(data, func(r rune) bool { return r == utf8.RuneError })
		return &Error{File: path, Line: lineOf(data, i), Msg: "is not UTF-8: save the file as UTF-8"}
	}
	if i := controlByte(data); i >= 0 {
		msg := fmt.Sprintf("has a control character (0x%02x): remove it", data[i])
		return &Error{File: path, Line: lineOf(data, i), Msg: msg}
	}
	return nil
}

// A file of longFile octets, or of manyTables inline tables, has its shape looked
// at before it is parsed.
const (
	longFile   = 16 << 10
	manyTables = 64
)

// checkShape refuses files that no person wrote: the parser's memory grows by
// the square of how deep brackets and dotted names go and how long names are.
func checkShape(path string, data []byte) error {
	e := &Error{File: path, Msg: "is no config file: it has brackets within brackets, or very long lines"}
	if len(data) < longFile && bytes.Count(data, []byte{'{'}) < manyTables {
		return nil
	}
	for line := range bytes.Lines(data) {
		if e.Line++; len(line) > 1<<10 {
			return e
		}
	}
	if e.Line = tooDeep(data); e.Line > 0 {
		return e
	}
	return nil
}

// withoutComments drops comments and keeps the lines: the parser takes as long for
// a letter of a comment as for any other, and the template is mostly comments.
// Where a # may be part of a text it is left to the parser.
func withoutComments(data []byte) []byte {
	if bytes.Contains(data, []byte(`"""`)) || bytes.Contains(data, []byte("'''")) {
		return data // a text of several lines
	}
	kept := make([]byte, 0, len(data))
	for line := range bytes.Lines(data) {
		before, _, found := bytes.Cut(line, []byte{'#'})
		if !found || bytes.ContainsAny(before, `'\`) || bytes.Count(before, []byte{'"'})%2 != 0 {
			kept = append(kept, line...)
			continue
		}
		kept = append(append(kept, before...), '\n')
	}
	return kept
}

// controlByte returns the offset of the first control character that TOML forbids, or -1.
func controlByte(data []byte) int {
	for i, c := range data {
		if c >= ' ' && c != 0x7f || c == '\n' || c == '\t' {
			continue
		}
		if c != '\r' || i+1 == len(data) || data[i+1] != '\n' {
			return i
		}
	}
	return -1
}

func lineOf(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte{'\n'}) }

// syntaxError says in plain words, and without quoting a value that may be a
// password, why a file is no TOML.
func syntaxError(path string, data []byte, err error) *Error {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return &Error{File: path, Msg: "cannot be understood as TOML"}
	}
	// At the end of the file the parser counts one line too many or too few.
	e := &Error{File: path, Line: min(max(pe.Position.Line, 1), lineOf(data, len(data)))}
	// "Key 'a.b' has already been defined."
	if rest, ok := strings.CutPrefix(pe.Message, "Key '"); ok {
		e.Key, _, _ = strings.Cut(rest, "'")
		e.Msg = "is set twice"
		if !strings.Contains(e.Key, ".") {
			e.Key, e.Msg = "["+e.Key+"]", "stands in the file a second time: join the two"
		}
		return e
	}
	e.Msg = plainSyntax(pe.Message)
	return e
}

// plainSyntax translates the parser's message. Nothing of it is passed on: many
// of them quote what they stumbled over.
func plainSyntax(msg string) string {
	for _, t := range translations {
		for _, part := range strings.Split(t[0], "|") {
			if strings.Contains(msg, part) {
				return t[1]
			}
		}
	}
	return "is no TOML"
}

// translations: parts of the parser's messages, and what is said instead.
var translations = [...][2]string{
	{"strings cannot contain newlines|EOF; expected '|EOF; expected \"", "has a text whose closing quote is missing"},
	{"hexadecimal digits|scape", `has a backslash in a "text": write two of them, or the text in '...'`},
	{"end with a newline", "has more on this line than one key = value: is a quote missing?"},
	{"array terminator|unexpected comma", `has a list that is not closed or has a comma too few or too many: ["a", "b"]`},
	{"inline table", "has an inline table that is not closed or lacks a comma"},
	{"table name|table array name|table separator", "has a section header that is not well-formed: [name] or [[name]]"},
	{"key separator|expected '.' or '='|keys cannot|key name|unexpected '", "is not of the form: key = value"},
	{"value|nvalid|range|digit|sign with|not a|floats", `has no value that TOML knows: a text is written in quotes, like "text"`},
}
