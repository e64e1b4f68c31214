package submission

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/emersion/go-smtp"

	"notices/spool"
	"notices/spool/intake"
	"notices/spool/intake/mailaddr"
	"notices/spool/printable"
)

// session is what is known of the message that is being handed in.
type session struct {
	ctx  context.Context
	o    *Options
	conn io.Closer

	hosted *intake.Hosted // whose session it is, at a service; nil: a program of this machine

	hasMail    bool // MAIL was accepted
	utf8       bool // with SMTPUTF8
	sender     string
	recipients []string
	room       int             // that they take, as spool.RecipientRoom counts
	dsn        spool.DSNParams // with both lists as long as recipients
}

// Reset is called for RSET, and after each message.
func (s *session) Reset() { *s = session{ctx: s.ctx, o: s.o, conn: s.conn, hosted: s.hosted} }

// Logout is called when the conversation is over.
func (s *session) Logout() error { return nil }

// Mail takes the sender.
func (s *session) Mail(from string, o *smtp.MailOptions) error {
	if s.hasMail {
		return answer(503, smtp.EnhancedCode{5, 5, 1}, "only one MAIL for each message; RSET starts again")
	}
	if o == nil {
		o = &smtp.MailOptions{}
	}
	if limit := s.o.Intake.MaxSize; limit > 0 && o.Size > limit {
		return tooLarge(limit)
	}
	if err := spool.CheckEnvelopeID(o.EnvelopeID); err != nil {
		return badParameter(err)
	}
	from = s.address(from)
	if err := s.o.Intake.CheckRequest(s.request(from)); err != nil {
		return s.reply(err, smtp.EnhancedCode{5, 1, 7})
	}
	if err := s.checkHosted(from, o.UTF8); err != nil {
		return err
	}
	s.hasMail, s.utf8, s.sender = true, o.UTF8, from
	s.dsn = spool.DSNParams{
		EnvelopeID: o.EnvelopeID, ReturnHeaders: o.Return == smtp.DSNReturnHeaders, ReturnFull: o.Return == smtp.DSNReturnFull,
	}
	return nil
}

// needsUTF8 is the reply of RFC 6531 section 3.5, with 553 to MAIL and 550 to RCPT.
const needsUTF8 = "an address that is not in ASCII needs SMTPUTF8 in MAIL"

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// checkHosted refuses a sender that is no address. A service sends from its own one, and so intake does
// not look at the sender that a site names.
func (s *session) checkHosted(from string, utf8 bool) error {
	if s.hosted == nil || from == "" {
		return nil
	}
	if err := mailaddr.Check(from); err != nil {
		return answer(501, smtp.EnhancedCode{5, 1, 7}, "the sender is malformed: "+err.Error())
	}
	if !utf8 && !isASCII(from) {
		return answer(553, smtp.EnhancedCode{5, 6, 7}, needsUTF8)
	}
	return nil
}

// Rcpt takes one recipient.
func (s *session) Rcpt(to string, o *smtp.RcptOptions) error {
	to = s.address(to)
	if err := s.o.Intake.CheckRequest(s.request("", to)); err != nil {
		return s.reply(err, smtp.EnhancedCode{5, 1, 3})
	}
	if s.hosted != nil && !s.utf8 && !isASCII(to) {
		return answer(550, smtp.EnhancedCode{5, 6, 7}, needsUTF8)
	}
	notify, original := dsnOf(o)
	if err := spool.CheckOriginal(original); original != "" && err != nil {
		return badParameter(err)
	}
	room := s.room + spool.RecipientRoom(to, notify, original)
	if room > spool.MaxRecipientRoom {
		return answer(452, smtp.EnhancedCode{4, 5, 3}, "no room for more recipients of one message")
	}
	s.room, s.recipients = room, append(s.recipients, to)
	s.dsn.NotifyEach, s.dsn.Originals = append(s.dsn.NotifyEach, notify), append(s.dsn.Originals, original)
	return nil
}

// dsnOf gives NOTIFY and ORCPT as spool.DSNParams has them.
func dsnOf(o *smtp.RcptOptions) (notify, original string) {
	if o == nil {
		return "", ""
	}
	words := make([]string, len(o.Notify))
	for i, word := range o.Notify {
		words[i] = strings.ToLower(string(word))
	}
	if o.OriginalRecipient != "" {
		original = strings.ToLower(string(o.OriginalRecipientType)) + ";" + o.OriginalRecipient
	}
	return strings.Join(words, ","), original
}

func answer(code int, enhanced smtp.EnhancedCode, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: oneLine(text)}
}

func badParameter(err error) error { return answer(501, smtp.EnhancedCode{5, 5, 4}, err.Error()) }

func tooLarge(limit int64) error {
	return answer(552, smtp.EnhancedCode{5, 3, 4}, fmt.Sprintf("the message is larger than %d octets", limit))
}

// Data takes the message. It never returns nil, since the answer 250 has the id.
func (s *session) Data(r io.Reader) error {
	return s.data(r, func(request intake.Request) (spool.ID, error) { return s.o.Intake.Accept(s.ctx, request) })
}

// data is Data with its own way to take the message in.
func (s *session) data(r io.Reader, accept func(intake.Request) (spool.ID, error)) error {
	in := &body{r: r}
	request := s.request(s.sender, s.recipients...)
	request.Body, request.DSN = in, s.dsn
	id, err := accept(request)
	var smtpError *smtp.SMTPError
	switch limit := s.o.Intake.MaxSize; {
	case err == nil:
		return answer(250, smtp.EnhancedCode{2, 0, 0}, queuedAs+string(id))
	case limit > 0 && in.n > limit:
		return tooLarge(limit)
	case errors.As(err, &smtpError):
		return smtpError
	case in.err != nil:
		// go-smtp would take the rest for commands.
		_ = s.conn.Close()
		if errors.Is(in.err, os.ErrDeadlineExceeded) || errors.Is(in.err, errOver) {
			return answer(421, smtp.EnhancedCode{4, 4, 2}, "the message came too slowly")
		}
	}
	return s.reply(err, smtp.EnhancedCode{5, 6, 0})
}

// request is what intake is asked about.
func (s *session) request(from string, to ...string) intake.Request {
	return intake.Request{Sender: &from, Recipients: to, Qualify: s.o.Local, FromSender: s.o.Local, Lenient: s.o.Local, Hosted: s.hosted}
}

// address restores the quotes of a local part, which go-smtp removed. With a second @ it is
// unknown whether that was quoted, and intake refuses it.
func (s *session) address(a string) string {
	if name, ok := strings.CutSuffix(a, unqualified); ok && s.o.Local {
		return name
	}
	if strings.Count(a, "@") != 1 {
		return a
	}
	return mailaddr.Requote(a)
}

// body remembers whether it could be read, and how long it is.
type body struct {
	r   io.Reader
	n   int64
	err error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// reply is the answer to an error: 5xx if the message or an address is at fault, with
// the enhanced code bad, else 4xx, and the client keeps the message.
func (s *session) reply(err error, bad smtp.EnhancedCode) error {
	why := ""
	if s.o.Local {
		why = ": " + err.Error()
	}
	var refused *intake.Error
	switch {
	case errors.As(err, &refused) && refused.Kind == intake.BadConfig:
		return answer(451, smtp.EnhancedCode{4, 3, 5}, "local error; the message was not queued"+why)
	case errors.As(err, &refused) && errors.Is(err, intake.ErrTooMany): // an alias stands for many
		return answer(452, smtp.EnhancedCode{4, 5, 3}, refused.Msg)
	case errors.As(err, &refused) && errors.Is(err, intake.ErrLoop):
		return answer(554, smtp.EnhancedCode{5, 4, 6}, refused.Msg)
	case errors.As(err, &refused) && refused.Kind == intake.BadUsage:
		return answer(501, bad, refused.Msg)
	case errors.As(err, &refused):
		return answer(554, bad, refused.Msg)
	case errors.Is(err, spool.ErrUnsure):
		return answer(451, smtp.EnhancedCode{4, 3, 0}, "local error; the message may be queued"+why)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EROFS):
		return answer(452, smtp.EnhancedCode{4, 3, 1}, "no room in the spool; the message was not queued"+why)
	}
	return answer(451, smtp.EnhancedCode{4, 3, 0}, "local error; the message was not queued"+why)
}

// oneLine keeps a text within its reply line (RFC 5321 section 4.5.3.1.5).
func oneLine(text string) string {
	return printable.Cut(printable.ASCII(strings.ReplaceAll(text, "\n", "; ")), 400)
}
