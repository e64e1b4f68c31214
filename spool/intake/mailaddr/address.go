package mailaddr

import (
	"errors"
	"iter"
	"strings"
	"unicode"

	"notices/spool"
	"notices/spool/printable"
	"notices/spool/recode"
)

// Check is spool.CheckAddress with an error that does not repeat a megabyte.
func Check(address string) error {
	shown := printable.Quote(address, 100)
	switch {
	case len(address) > 254:
		return errors.New("address " + shown + " is too long")
	case address == "":
		return errors.New("there is no address")
	case strings.IndexByte(address, '@') < 0:
		return errors.New("address " + shown + " has no @ and no domain")
	}
	return spool.CheckAddress(address)
}

// CanWrite reports whether an address is valid and its domain has an ASCII form, so that
// it can be written into a header.
func CanWrite(address string) bool {
	_, err := recode.ASCIIDomain(address)
	return err == nil && spool.CheckAddress(address) == nil
}

// Equal compares addresses. Upper and lower case are the same in a domain.
func Equal(a, b string) bool { return Canonical(a) == Canonical(b) }

// Canonical is an address with its domain in lower case.
func Canonical(address string) string {
	i := strings.LastIndexByte(address, '@') + 1
	return address[:i] + strings.ToLower(address[i:])
}

// DomainOf is what stands behind the @ of an address; without @, all of it.
func DomainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// WithoutDot removes the dot at the end of a domain. In DNS it says that the name is
// complete; in SMTP it must not be there (RFC 5321 section 2.3.5).
func WithoutDot(address string) string {
	if strings.IndexByte(address, '@') < 0 || !strings.HasSuffix(address, ".") {
		return address
	}
	return strings.TrimRight(address, ".")
}

// TrimBlanks trims blanks and what does not show at all, such as the U+00A0 that a
// spreadsheet or a web page leaves behind an address.
func TrimBlanks(s string) string { return strings.TrimFunc(s, isBlank) }

// isBlank: white space, soft hyphens, marks of direction, joiners and byte order marks.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || r == 0xad || r == 0x61c || r == 0x180e || r >= 0x200b && r <= 0x200f ||
		r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff
}

// Unquote removes the quotes of a quoted string.
func Unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || QuotedLen(s) != len(s) {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Requote puts quotes round the local part of an address if it needs them.
func Requote(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 || spool.CheckAddress(address) == nil {
		return address
	}
	local := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(address[:i])
	if quoted := `"` + local + `"` + address[i:]; spool.CheckAddress(quoted) == nil {
		return quoted
	}
	return address
}

// SplitCommas splits a list at its commas, those in quotes, brackets and comments aside.
// Empty entries are left out.
func SplitCommas(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		scan, start := scanner{s: list}, 0
		for {
			t := scan.next()
			if t.kind != ',' && t.kind != end {
				continue
			}
			if piece := strings.Trim(list[start:t.start], " \t"); piece != "" && !yield(piece) {
				return
			}
			if start = scan.at; t.kind == end {
				return
			}
		}
	}
}
