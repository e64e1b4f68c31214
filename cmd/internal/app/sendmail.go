package app

import (
	"bufio"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"notices/spool"
	"notices/spool/intake"
)

// Arguments is a command line without the program's name. A program that is called as
// sendmail, mailq or newaliases is `notices sendmail` with the option that the name stands for.
func Arguments(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	args := argv[1:]
	switch filepath.Base(argv[0]) {
	case "sendmail":
		return append([]string{"sendmail"}, args...)
	case "mailq":
		return append([]string{"sendmail", "-bp"}, args...)
	case "newaliases":
		return append([]string{"sendmail", "-bi"}, args...)
	}
	return args
}

// SendmailMode is what a call of sendmail asks for.
type SendmailMode int

// Modes.
const (
	SendmailQueue   SendmailMode = iota // -bm, and without a word: take a message from standard input
	SendmailList                        // -bp: print the queue
	SendmailFlush                       // -q: attempt what is queued
	SendmailSMTP                        // -bs: speak SMTP on standard input and output
	SendmailAliases                     // -bi, -I: rebuild the alias database, which notices does not have
)

// Sendmail is a call of sendmail: what its options say.
type Sendmail struct {
	Mode       SendmailMode
	Sender     *string         // -f, -r; nil: [site] address
	FullName   string          // -F
	FromHeader bool            // -t
	IgnoreDot  bool            // -i, -oi: a line with a single dot does not end the message
	Verbose    bool            // -v
	DSN        spool.DSNParams // -N, -R, -V
	Which      string          // what stood behind -q: I and an id, R or S and a text, a length of time...
	Recipients []string
}

// Run queues the message on standard input. Once it is stored, the exit code must be 0: PHP's
// mail() takes any other code for a message that was not queued.
func (s *Sendmail) Run(ctx context.Context, p *Program) error {
	if s.Mode == SendmailAliases {
		return nil // /etc/aliases is read as it is
	}
	if len(s.Recipients) == 0 && !s.FromHeader {
		return Fail(ExitBadMessage, "the message has no recipient: name one as an argument, or give -t to take them from To, Cc and Bcc")
	}
	for _, to := range s.Recipients {
		if strings.HasPrefix(to, "-") && !strings.Contains(to, "@") {
			return UsageError("notices sendmail", fmt.Errorf("%q is not a recipient: options come before the first one", to))
		}
	}
	in := &input{Reader: p.Stdin}
	r := intake.Request{
		Sender:     s.Sender,
		Recipients: s.Recipients,
		FromHeader: s.FromHeader,
		FullName:   s.FullName,
		Qualify:    true,
		FromSender: true,
		Lenient:    true,
		ReturnBad:  true,
		Body:       in,
		DSN:        s.DSN,
	}
	if !s.IgnoreDot {
		r.Body = &dotReader{in: bufio.NewReader(in)}
	}
	id, err := queue(ctx, p, in, r)
	if err == nil && s.Verbose {
		_ = printBare(p.Stderr, "notices: queued as "+string(id)+"\n")
	}
	return err
}
