package smtpreply

import "strings"

// ownWords is a reply in lower case without the words that are not the server's own: addresses
// (info@limit.example names no limit), links, domains, and quoted text such as a subject.
func ownWords(text string) string {
	text = withoutQuotes(strings.ToLower(text))
	if !strings.ContainsAny(text, "@.") {
		return strings.TrimSpace(text)
	}
	var b strings.Builder
	for word := range strings.FieldsSeq(text) {
		foreign := strings.Contains(word, "@") || strings.Contains(word, "://") ||
			strings.HasPrefix(strings.TrimLeft(word, `<("'`), "www.") || domain(strings.Trim(word, `<>()[]"'.,;:!?`))
		switch {
		case !foreign:
			b.WriteString(word)
		case strings.HasSuffix(word, ":"):
			b.WriteByte(':')
		case containsAny(word, greylistPhrases):
			b.WriteString("greylist")
		case containsAny(word, blockLookups) && !containsAny(word, []string{"dbl", "/domain"}):
			b.WriteString(blockLookup)
		}
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

// domain recognises a host's name by its last label. "exceeded.please" is not one, only a
// blank is missing.
func domain(word string) bool {
	dot := strings.LastIndexByte(word, '.')
	if dot <= 0 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return false
	}
	switch word[dot+1:] {
	case "com", "net", "org", "edu", "gov", "mil", "info", "biz", "io", "eu", "example", "test", "invalid", "local", "internal", "lan",
		"de", "fr", "uk", "es", "nl", "ru", "ch", "pl", "se", "dk", "cz", "jp", "cn", "br", "au", "ca", "nz", "za", "mx", "school", "library":
		return true
	}
	return false
}

// withoutQuotes removes quoted text, but not a reply that is quoted as a whole. An apostrophe is
// not a quotation mark: a quotation begins behind a blank and ends before one.
func withoutQuotes(text string) string {
	if !strings.ContainsAny(text, `"'`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if end := quotation(text, i); end > 0 {
			i = end
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// quotation is where the quotation that begins at i ends; 0 if none begins there.
func quotation(text string, i int) (end int) {
	quote := text[i]
	if quote != '"' && quote != '\'' || i == 0 || !strings.ContainsRune(" (<=:", rune(text[i-1])) {
		return 0
	}
	for end = i + 1; end < len(text); end++ {
		if text[end] == quote && (end+1 == len(text) || strings.ContainsRune(" @.,;:)>", rune(text[end+1]))) {
			return end
		}
	}
	return 0
}

// rejectedPrefix is what Postfix puts before everything that a policy service says at RCPT, about
// the recipient or about the sender.
const rejectedPrefix = "recipient address rejected: "

// withoutPrefix is what a policy service said itself. The prefix of an address verification stays:
// what follows quotes what another server said of the recipient.
func withoutPrefix(text string) (own string, named bool) {
	_, own, named = strings.Cut(text, rejectedPrefix)
	if !named || strings.HasPrefix(own, "unverified address") || strings.HasPrefix(own, "undeliverable address") {
		return text, named
	}
	return own, true
}
