package returns

import (
	"strings"

	"notices/spool/smtpreply"
)

// anyWords is the form of a return that readWords recognized. It is matched more strictly: only if
// it names a recipient of the message whose Message-ID it has.
const anyWords = "words"

// readWords recognizes a return in any words and any language, by one rule: a mail system sends it;
// it has the Message-ID of the message that it returns, not just in a field of its own; and near an
// address stands a code or a status that says that it failed.
func (f *found) readWords(r *Return) bool {
	if !f.fromDaemon() {
		return false
	}
	for _, text := range []string{f.text, f.html} {
		list, warning := failures(text)
		if warning || len(list) == 0 {
			continue
		}
		f.quoted(text)
		if len(f.original.messageIDs("Message-Id")) > 0 {
			r.Form, r.Recipients = anyWords, list
			return true
		}
	}
	return false
}

// quoted finds the header of the message that is returned among the words.
func (f *found) quoted(text string) {
	for text != "" {
		line := strings.TrimLeft(text, " \t>|")
		const name = "message-id:"
		if len(line) > len(name) && strings.EqualFold(line[:len(name)], name) {
			f.returned(splitOnly([]byte(line)))
			return
		}
		_, text, _ = strings.Cut(text, "\n")
	}
}

// addressesIn are the addresses among words of any language. Those that are not ASCII cannot be told
// from the words around them.
func addressesIn(line string) []string {
	const others = "!#$%&'*+/=?^_{}~-.@"
	var found []string
	for word := range strings.FieldsFuncSeq(line, func(r rune) bool {
		return (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') && !strings.ContainsRune(others, r)
	}) {
		if address := asAddress(strings.TrimRight(word, ".'!?")); address != "" && len(found) < maxInLine {
			found = append(found, address)
		}
	}
	return found
}

// Bounds of an address and its code.
const (
	maxInLine = 10 // addresses in one line
	maxBelow  = 10 // lines below an address where the code may stand
)

// failures are the addresses in a text that failed. warning: it says that they are still tried. It
// ends where the message begins that is returned.
func failures(text string) (list []Recipient, warning bool) {
	var now []string // addresses that no reply was found for yet
	below := 0
	for line := range strings.SplitSeq(text, "\n") {
		plain := strings.ToLower(strings.Join(strings.Fields(line), " "))
		if begins, _ := copied(plain); begins || startsWithAny(plain, "from:", "date:", "received:") || len(list) >= maxNamed {
			break
		}
		warning = warning || containsAny(plain, stillTried[:])
		if startsWithAny(plain, "subject:", "betreff:") {
			continue
		}
		if at := addressesIn(line); len(at) > 0 {
			now, below = at, 0
		}
		if below++; len(now) == 0 || below > maxBelow {
			continue
		}
		said, decided := replyIn(line)
		if !decided {
			continue
		}
		for _, said.Final = range now {
			if said.Kind == Failed {
				list = append(list, said)
			}
		}
		now = nil
	}
	return list, warning
}

// replyIn reads the reply in a line. Nothing is kept of the line but the reply, since words of the
// message that is returned may stand before it. decided: the line says what became of an address,
// even if it is that it is tried again.
func replyIn(line string) (said Recipient, decided bool) {
	code, status, rest := firstReply(line)
	switch {
	case code != 0:
		said.setReply(rest)
	case status != "":
		_, after, _ := strings.Cut(line, status)
		said.setReply(status + " " + strings.Trim(after, " )],.;:-"))
	default:
		if detail := smtpreply.Detail(0, "", line); detail != "" {
			said.Status = "5." + detail
		}
	}
	if code >= 500 || said.Status != "" && said.Status[0] == '5' {
		said.Kind = Failed
	}
	return said, code != 0 || said.Status != ""
}

// adopt takes over what was said about that address.
func (c *Recipient) adopt(said []Recipient) {
	if c.Code != 0 || c.Status != "" {
		return
	}
	for i := range said {
		if strings.EqualFold(said[i].Final, c.Final) {
			c.Code, c.Status, c.Text = said[i].Code, said[i].Status, said[i].Text
			return
		}
	}
}
