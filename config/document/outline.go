package document

import (
	"bytes"

	"github.com/BurntSushi/toml"
)

// statement is a section header, or a key with its value, and the lines that it takes.
type statement struct {
	at       Place // at.Key is "" for a header
	from, to int   // from 1, both included
	plain    bool  // of the form that Edit can change: [x], [[x]], or x = below one of those
}

// Outline is a document as statements, in their order. The TOML library tells lines only in
// its errors. So Index asks it for the fewest lines that are a valid document: they are one
// statement, whatever quotes and brackets it has.
type Outline []statement

// maxEnds is how many lines are tried as the last line of a value. A value with more lines
// that could be the last one is not found.
const maxEnds = 10

// Index makes the outline of a valid document. That is done only when there is something to
// report or to change.
func Index(data []byte) Outline {
	var found Outline
	count := map[string]int{} // tables seen of each array
	var here []string         // the header that holds
	lines := bytes.SplitAfter(data, []byte{'\n'})
	for i := 0; i < len(lines); {
		n, name := firstStatement(lines[i:])
		from := i + 1
		i += n
		if name == nil {
			continue
		}
		s := statement{from: from, to: i, plain: len(name) == 1}
		if first := bytes.TrimSpace(lines[from-1]); first[0] == '[' {
			if here = name; s.plain && bytes.HasPrefix(first, []byte("[[")) {
				count[name[0]]++
			}
		} else {
			s.plain = s.plain && len(here) == 1
			name = append(here[:len(here):len(here)], name...)
		}
		s.at = Place{Section: name[0], N: count[name[0]]}
		if len(name) > 1 {
			s.at.Key = name[1] // of a longer name, the key that leads there
		}
		found = append(found, s)
	}
	return found
}

// firstStatement tells how many lines the first statement takes, and its name, which is nil
// for a comment or a blank line.
func firstStatement(lines [][]byte) (n int, name []string) {
	var text []byte
	ends := 0
	for n, line := range lines {
		text = append(text, line...)
		if n > 0 && !bytes.ContainsAny(line, "]}") && !bytes.Contains(line, []byte(`"""`)) && !bytes.Contains(line, []byte("'''")) {
			continue // no value of several lines ends here
		}
		if ends++; ends > maxEnds {
			break
		}
		var v any
		if meta, err := toml.Decode(string(text), &v); err == nil {
			if keys := meta.Keys(); len(keys) > 0 {
				name = keys[0]
			}
			return n + 1, name
		}
	}
	return 1, nil
}

// Line is the line of at, else of the table that it is missing from, else 0.
func (o Outline) Line(at Place) int {
	for _, p := range []Place{at, {Section: at.Section, N: at.N}, {Section: at.Section}} {
		for _, s := range o {
			if s.at == p || p == (Place{Section: s.at.Section}) {
				return s.from
			}
		}
	}
	return 0
}
