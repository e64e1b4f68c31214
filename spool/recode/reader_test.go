package recode

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
)

// leaf is a part that has no parts, as the standard library reads it.
type leaf struct {
	path, kind, content string
}

// leaves reads a message with the readers of the standard library, which know nothing
// of this package.
func leaves(message []byte) ([]leaf, error) {
	return readMessage("", bytes.NewReader(message))
}

func readMessage(path string, r io.Reader) ([]leaf, error) {
	br := bufio.NewReader(r)
	header, err := textproto.NewReader(br).ReadMIMEHeader()
	if err != nil {
		return nil, fmt.Errorf("%s: header: %w", path, err)
	}
	return readEntity(path, header, br, "text/plain")
}

func readEntity(path string, header textproto.MIMEHeader, body io.Reader, fallback string) ([]leaf, error) {
	// The standard library takes names with blanks in them; mail readers do not.
	for name := range header {
		if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, fmt.Errorf("%s: %q is no field", path, name)
		}
	}
	value := header.Get("Content-Type")
	if value == "" {
		value = fallback
	}
	kind, params, err := mime.ParseMediaType(value)
	if err != nil {
		return nil, fmt.Errorf("%s: type %q: %w", path, value, err)
	}
	encoding := strings.ToLower(strings.TrimSpace(header.Get("Content-Transfer-Encoding")))
	if strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		return readParts(path, kind, params["boundary"], body)
	} else if kind == "multipart" || strings.HasPrefix(kind, "multipart/") {
		kind = "text/plain" // without a boundary it has no parts, and recoded it says so
	}
	switch encoding {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	if kind == "message/rfc822" && encoding != "base64" && encoding != "quoted-printable" {
		return readMessage(path+"/m", body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return []leaf{{path, kind, string(content)}}, nil
}

func readParts(path, kind, boundary string, body io.Reader) ([]leaf, error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	// Without its end the standard library silently drops a last part that is torn.
	if !bytes.Contains(append([]byte("\r\n"), content...), []byte("\r\n--"+boundary+"--\r\n")) {
		return nil, fmt.Errorf("%s: the multipart has no end", path)
	}
	parts := multipart.NewReader(bytes.NewReader(content), boundary)
	fallback := "text/plain"
	if kind == "multipart/digest" {
		fallback = "message/rfc822"
	}
	var all []leaf
	for i := 0; ; i++ {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		some, err := readEntity(fmt.Sprintf("%s/%d", path, i), part.Header, part, fallback)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
}

// crlf is text with line ends as a stored message has them.
func crlf(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

// run recodes a message.
func run(message string, o Options) (string, error) {
	var out strings.Builder
	err := Recode(&out, strings.NewReader(message), int64(len(message)), o)
	return out.String(), err
}
