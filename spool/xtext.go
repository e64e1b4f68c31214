package spool

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// hexDigits are upper case: RFC 3461 section 4 knows no other.
const hexDigits = "0123456789ABCDEF"

// AppendXtext appends s, which is ASCII, as a parameter of SMTP has it: xtext, RFC 3461
// section 4.
func AppendXtext(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c > ' ' && c <= '~' && c != '+' && c != '=' {
			b = append(b, c)
		} else {
			b = append(b, '+', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return b
}

// AppendAddrXtext appends an address of any script where there is only ASCII:
// utf-8-addr-xtext, RFC 6533 section 3.
func AppendAddrXtext(b []byte, s string) []byte {
	for _, r := range s {
		if r > ' ' && r <= '~' && r != '+' && r != '=' && r != '\\' {
			b = utf8.AppendRune(b, r)
			continue
		}
		b = append(b, `\x{`...)
		if r < 0x10 {
			b = append(b, '0')
		}
		b = append(b, strings.ToUpper(strconv.FormatInt(int64(r), 16))...)
		b = append(b, '}')
	}
	return b
}

// AppendOriginal appends an original recipient, TYPE;ADDRESS, as ORCPT has it.
func AppendOriginal(b []byte, original string) []byte {
	kind, address, _ := strings.Cut(original, ";")
	b = append(append(b, kind...), ';')
	if kind == "utf-8" {
		return AppendAddrXtext(b, address)
	}
	return AppendXtext(b, address)
}
