package dkim

import (
	"bytes"
	"io"
	"mime"
	"net/mail"
	"slices"
	"strings"

	"notices/spool/recode"
)

// fields are those of a message's header that matter here: by name in lower case, their
// unfolded values from top to bottom.
type fields map[string][]string

// oversigned are the fields that are signed once more than they are there. Intake adds a
// missing From, Date and Message-ID; the others stay missing if they are.
func oversigned() []string {
	return []string{"From", "Reply-To", "Date", "Subject", "To", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
}

// signedIfPresent are the fields that are signed as they are.
func signedIfPresent() []string {
	return []string{"Cc", "In-Reply-To", "References", "List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post",
		"List-Subscribe", "List-Post", "List-Owner", "List-Archive"}
}

// maxSame is how many fields of one name are signed. RFC 5322 section 3.6 allows one of each;
// more would make a line of h= that SMTP does not carry.
const maxSame = 3

// maxKept is how much of a field is looked at, in octets: a From has at most that.
const maxKept = 64 << 10

// readFields reads a header.
func readFields(header []byte) fields {
	wanted := map[string]bool{"dkim-signature": true}
	for _, list := range [][]string{oversigned(), signedIfPresent()} {
		for _, name := range list {
			wanted[strings.ToLower(name)] = true
		}
	}
	h := fields{}
	last := ""
	for line := range bytes.Lines(header) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			if list := h[last]; len(list) > 0 && len(list[len(list)-1]) < maxKept {
				list[len(list)-1] += string(line)
			}
			continue
		}
		name, value, _ := recode.CutField(line)
		if last = strings.ToLower(string(name)); wanted[last] {
			h[last] = append(h[last], string(value))
		} else {
			last = ""
		}
	}
	return h
}

// Signs reports whether mail from an address is signed: it is of the domain, or of one below it.
func (s *Signer) Signs(address string) bool {
	ascii, err := recode.ASCIIDomain(address)
	if err != nil {
		return false
	}
	of := strings.ToLower(ascii[strings.LastIndexByte(ascii, '@')+1:])
	return of == s.domain || strings.HasSuffix(of, "."+s.domain)
}

// from reports whether mail from one of the authors is signed.
func (h fields) from(s *Signer) bool {
	return slices.ContainsFunc(h["from"], func(value string) bool { return slices.ContainsFunc(addresses(value), s.Signs) })
}

// addresses are those of a From field. Of one that is not well formed, it is what stands
// around the last @.
func addresses(value string) []string {
	words := mime.WordDecoder{CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil }}
	list, err := (&mail.AddressParser{WordDecoder: &words}).ParseList(value)
	if err != nil {
		i := strings.LastIndexByte(value, '@')
		if i < 0 {
			return nil
		}
		domain, _, _ := strings.Cut(value[i+1:], ">")
		return []string{"x@" + strings.TrimSpace(domain)}
	}
	found := make([]string, len(list))
	for i, a := range list {
		found[i] = a.Address
	}
	return found
}

// signedBy reports whether a signature of the domain is there.
func (h fields) signedBy(domain string) bool {
	for _, value := range h["dkim-signature"] {
		for tag := range strings.SplitSeq(value, ";") {
			name, d, _ := strings.Cut(tag, "=")
			if strings.TrimSpace(name) == "d" && strings.EqualFold(strings.Join(strings.Fields(d), ""), domain) {
				return true
			}
		}
	}
	return false
}

// signed are the names for h=. Each stands for one field, from the bottom of the header up, or
// for none (RFC 6376 section 5.4.2).
func (h fields) signed() []string {
	var names []string
	for _, name := range oversigned() {
		for range min(len(h[strings.ToLower(name)]), maxSame) + 1 {
			names = append(names, name)
		}
	}
	for _, name := range signedIfPresent() {
		for range min(len(h[strings.ToLower(name)]), maxSame) {
			names = append(names, name)
		}
	}
	return names
}
