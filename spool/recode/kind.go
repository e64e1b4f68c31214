package recode

import (
	"mime"
	"strings"
)

// maxBoundary is well above the 70 characters of RFC 2046 section 5.1.1.
const maxBoundary = 250

// kind is what a Content-Type says, in lower case but for the boundary.
type kind struct {
	major, minor string
	boundary     string
}

func (t kind) String() string { return t.major + "/" + t.minor }

// sealed: the octets inside are signed or encrypted as they stand (RFC 1847 section 2).
func (t kind) sealed() bool {
	return t.major == "multipart" && (t.minor == "signed" || t.minor == "encrypted")
}

func (t kind) composite() bool { return t.major == "multipart" || t.holdsMessage() }

func (t kind) holdsMessage() bool {
	return t.major == "message" && (t.minor == "rfc822" || t.minor == "global" || t.minor == "news")
}

// unencodable: content that no encoding may be put around: fragments and references
// (RFC 2046 section 5.2.2), a multipart that cannot be taken apart, and S/MIME that
// came unencoded.
func (t kind) unencodable() bool {
	switch t.major {
	case "multipart":
		return true
	case "message":
		return t.holdsMessage() || t.minor == "partial" || t.minor == "external-body"
	case "application":
		return strings.HasSuffix(t.minor, "pkcs7-mime")
	}
	return false
}

// parseKind reads the value of a Content-Type field, unfolded.
func parseKind(value string) kind {
	full, params, err := mime.ParseMediaType(value)
	boundary := params["boundary"]
	if err != nil {
		full, boundary = looseKind(value)
	}
	major, minor, _ := strings.Cut(full, "/")
	t := kind{major: strings.TrimSpace(major), minor: strings.TrimSpace(minor), boundary: boundary}
	// RFC 2046 section 5.1.1: a boundary does not end in a blank; delimiters are
	// compared without theirs.
	t.boundary = strings.TrimRight(t.boundary, " \t")
	if len(t.boundary) > maxBoundary {
		t.boundary = ""
	}
	return t
}

// Boundary is what stands between the parts of a message with that Content-Type, unfolded;
// empty: it has no parts.
func Boundary(contentType string) string {
	if t := parseKind(strings.TrimSpace(contentType)); t.major == "multipart" {
		return t.boundary
	}
	return ""
}

// looseKind reads what package mime refuses and mail programs send: a boundary with
// "=" in it and no quotes, a parameter given twice, comments.
func looseKind(value string) (full, boundary string) {
	parts := splitQuoted(value, ';')
	for _, part := range parts[1:] {
		if name, v, _ := strings.Cut(part, "="); boundary == "" && strings.EqualFold(strings.TrimSpace(name), "boundary") {
			boundary = unquoteValue(v)
		}
	}
	full, _, _ = strings.Cut(parts[0], "(")
	return strings.ToLower(strings.TrimSpace(full)), boundary
}

// encoding is what a Content-Transfer-Encoding says.
type encoding int

const (
	identity encoding = iota
	quotedPrintable
	base64Encoding
)

// parseEncoding reads the value of a Content-Transfer-Encoding. wide: it announces
// octets over 127.
func parseEncoding(value string) (e encoding, wide bool) {
	value, _, _ = strings.Cut(value, "(")
	value, _, _ = strings.Cut(value, ";")
	switch value = strings.Trim(strings.ToLower(value), " \t\""); value {
	case "", "7bit", "7-bit":
		return identity, false
	case "8bit", "8-bit", "binary":
		return identity, true
	case "quoted-printable":
		return quotedPrintable, false
	case "base64":
		return base64Encoding, false
	}
	// Misspelt, made up, or a charset in the wrong place: nobody decodes that.
	return identity, true
}
