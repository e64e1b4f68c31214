package oauth

import (
	"bufio"
	"context"
	"io"
	"net/url"
	"strings"
)

// maxPaste is the longest address that is read, in octets.
const maxPaste = 32 << 10

// readPaste waits for the address that the browser ended on.
func (l *Login) readPaste(ctx context.Context, a *asking) <-chan outcome {
	if l.Paste == nil {
		return nil
	}
	done := make(chan outcome, 1)
	go func() {
		account, err := l.pasted(ctx, a)
		done <- outcome{account, err}
	}()
	return done
}

// pasted reads lines until one is an answer.
func (l *Login) pasted(ctx context.Context, a *asking) (Account, error) {
	lines := bufio.NewReaderSize(io.LimitReader(l.Paste, 8*maxPaste), maxPaste)
	for {
		line, err := lines.ReadString('\n')
		if text := strings.TrimSpace(line); text != "" {
			r, ok := parsePasted(text)
			switch {
			case ok && r.state == a.state:
				return a.settle(ctx, r)
			case ok:
				l.Say(strayTitle + ". " + strayText + " Paste the one of this sign-in:")
			default:
				l.Say("That is not the address the browser ended on: it has code= and state= in it. Paste it whole:")
			}
		}
		if err != nil {
			return Account{}, l.refuse("No address was pasted")
		}
	}
}

// parsePasted reads what a person pasted: the address, or what stands behind its
// question mark. A bare code is not enough: the state would be missing.
func parsePasted(text string) (reply, bool) {
	text = strings.Trim(text, `"'<>`)
	query := text
	if _, after, found := strings.Cut(text, "?"); found {
		query = after
	}
	query, _, _ = strings.Cut(query, "#")
	q, err := url.ParseQuery(query)
	if err != nil {
		return reply{}, false
	}
	r, ok := readReply(q)
	return r, ok && r.state != ""
}
