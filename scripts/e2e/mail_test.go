//go:build peers

package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// mail is a message as a server kept it, with LF line ends.
type mail struct {
	sender, recipient string   // of the envelope, where the server wrote them down
	queueID           string   // the server's own
	header            []string // fields with their continuation lines and line ends
	body              string
}

// parseMail takes off the fields that servers put on top.
func parseMail(t *testing.T, text []byte) mail {
	t.Helper()
	return splitMail(t, strings.ReplaceAll(string(text), "\r\n", "\n")).untraced()
}

func (m mail) untraced() mail {
	for len(m.header) > 0 {
		name, value, _ := strings.Cut(m.header[0], ":")
		switch value = strings.Trim(strings.TrimSpace(value), "<>"); strings.ToLower(name) {
		case "return-path":
			m.sender = value
		case "x-original-to":
			m.recipient = value
		case "received":
			if m.queueID == "" {
				m.queueID = between(value, " id ", " ")
			}
		case "delivered-to":
		default:
			return m
		}
		m.header = m.header[1:]
	}
	return m
}

// between returns what stands in text between two marks, or nothing.
func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(strings.ReplaceAll(rest, "\n", " "), after)
	return found
}

// parseDelivered is parseMail for Postfix, which writes the envelope down.
func parseDelivered(t *testing.T, text []byte) mail {
	t.Helper()
	m := parseMail(t, text)
	if m.recipient == "" {
		t.Fatalf("Postfix delivered without X-Original-To:\n%s", text)
	}
	return m
}

func splitMail(t *testing.T, text string) mail {
	t.Helper()
	head, body, found := strings.Cut(text, "\n\n")
	if !found {
		t.Fatalf("no end of the header:\n%s", text)
	}
	var m mail
	for line := range strings.Lines(head + "\n") {
		if last := len(m.header) - 1; last >= 0 && (line[0] == ' ' || line[0] == '\t') {
			m.header[last] += line
		} else {
			m.header = append(m.header, line)
		}
	}
	m.body = body
	return m
}

func (m mail) String() string { return strings.Join(m.header, "") + "\n" + m.body }

// get returns a field's value, unfolded.
func (m mail) get(name string) string {
	for _, field := range m.header {
		key, value, _ := strings.Cut(field, ":")
		if strings.EqualFold(key, name) {
			return strings.TrimSpace(strings.ReplaceAll(value, "\n", ""))
		}
	}
	return ""
}

func (m mail) messageID() string { return m.get("Message-ID") }

// without returns the header without the named fields.
func (m mail) without(names ...string) []string {
	return slices.DeleteFunc(slices.Clone(m.header), func(field string) bool {
		key, _, _ := strings.Cut(field, ":")
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, key) })
	})
}

// leaves are the decoded parts that are no multipart, each with its type in front.
func (m mail) leaves(t *testing.T) []string {
	t.Helper()
	lines := strings.ReplaceAll(m.String(), "\n", "\r\n")
	reader := textproto.NewReader(bufio.NewReader(strings.NewReader(lines)))
	header, err := reader.ReadMIMEHeader()
	check(t, err)
	leaves, err := leavesOf(header, reader.R)
	check(t, err)
	return leaves
}

func leavesOf(header textproto.MIMEHeader, body io.Reader) ([]string, error) {
	kind := header.Get("Content-Type")
	media, params, err := mime.ParseMediaType(kind)
	if err == nil && strings.HasPrefix(media, "multipart/") {
		return leavesOfMultipart(multipart.NewReader(body, params["boundary"]))
	}
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	return []string{fmt.Sprintf("%s; %s\n%s", kind, header.Get("Content-Disposition"), text)}, err
}

func leavesOfMultipart(parts *multipart.Reader) ([]string, error) {
	var all []string
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		leaves, err := leavesOf(part.Header, part)
		if err != nil {
			return nil, err
		}
		all = append(all, leaves...)
	}
}
