package submission

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

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

	given      bool // there was a MAIL
	sender     string
	recipients []string
	room       int             // that they take, as spool.RecipientRoom counts
	asked      spool.DSNParams // with both lists as long as recipients
}

// Reset is RSET's, and comes after each message.
func (s *session) Reset() {
	s.given, s.sender, s.recipients, s.asked = false, "", nil, spool.DSNParams{}
	s.room = 0
}

// Logout comes when the conversation is over.
func (s *session) Logout() error { return nil }

// Mail takes the sender.
func (s *session) Mail(from string, o *smtp.MailOptions) error {
	if s.given {
		return &smtp.SMTPError{Code: 503, EnhancedCode: smtp.EnhancedCode{5, 5, 1}, Message: "one MAIL a message; RSET begins anew"}
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
	s.given, s.sender = true, from
	s.asked = spool.DSNParams{
		EnvelopeID: o.EnvelopeID, ReturnHeaders: o.Return == smtp.DSNReturnHeaders, ReturnFull: o.Return == smtp.DSNReturnFull,
	}
	return nil
}

// Rcpt takes one recipient.
func (s *session) Rcpt(to string, o *smtp.RcptOptions) error {
	to = s.address(to)
	if err := s.o.Intake.CheckRequest(s.request("", to)); err != nil {
		return s.reply(err, smtp.EnhancedCode{5, 1, 3})
	}
	notify, original := wishes(o)
	if original != "" {
		if err := spool.CheckOriginal(original); err != nil {
			return badParameter(err)
		}
	}
	room := s.room + spool.RecipientRoom(to, notify, original)
	if room > spool.MaxRecipientRoom {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 5, 3}, Message: "no room for more recipients of one message"}
	}
	s.room, s.recipients = room, append(s.recipients, to)
	s.asked.NotifyEach, s.asked.Originals = append(s.asked.NotifyEach, notify), append(s.asked.Originals, original)
	return nil
}

// wishes are NOTIFY and ORCPT as spool.Asked has them.
func wishes(o *smtp.RcptOptions) (notify, original string) {
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

func badParameter(err error) error {
	return &smtp.SMTPError{Code: 501, EnhancedCode: smtp.EnhancedCode{5, 5, 4}, Message: oneLine(err.Error())}
}

// Data takes the message. Its answer is nil for no message at all: 250 has the id.
func (s *session) Data(r io.Reader) error {
	in := &body{r: r}
	request := s.request(s.sender, s.recipients...)
	request.Body, request.DSN = in, s.asked
	id, err := s.o.Intake.Accept(s.ctx, request)
	var smtpError *smtp.SMTPError
	switch limit := s.o.Intake.MaxSize; {
	case err == nil:
		return &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: "queued as " + string(id)}
	case limit > 0 && in.n > limit:
		return tooLarge(limit)
	case errors.As(err, &smtpError):
		return smtpError
	case in.err != nil:
		// go-smtp would take what else comes for commands.
		_ = s.conn.Close()
	}
	return s.reply(err, smtp.EnhancedCode{5, 6, 0})
}

// request is the message as intake is asked about it.
func (s *session) request(from string, to ...string) intake.Request {
	return intake.Request{Sender: &from, Recipients: to, Qualify: s.o.Local, FromSender: s.o.Local, Lenient: s.o.Local}
}

// address is one as go-smtp read it: without the quotes of a local part. With a second
// @ nobody knows any more whether that was quoted, and it is refused.
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

func tooLarge(limit int64) error {
	return &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: fmt.Sprintf("the message is larger than %d octets", limit)}
}

// reply is the answer to an error: 5xx when the message or an address is at fault, with
// the enhanced code that fits there, else 4xx, and the client keeps the message.
func (s *session) reply(err error, bad smtp.EnhancedCode) error {
	answer := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "trouble on this side; the message was not queued"}
	var refused *intake.Error
	switch {
	case errors.As(err, &refused) && refused.Kind == intake.BadConfig:
		answer.EnhancedCode = smtp.EnhancedCode{4, 3, 5}
	case errors.As(err, &refused) && errors.Is(err, intake.ErrTooMany): // an alias stands for many
		answer.Code, answer.EnhancedCode, answer.Message = 452, smtp.EnhancedCode{4, 5, 3}, oneLine(refused.Msg)
		return answer
	case errors.As(err, &refused):
		answer.Code, answer.EnhancedCode = 554, bad
		if refused.Kind == intake.BadUsage {
			answer.Code = 501
		}
		answer.Message = oneLine(refused.Msg)
		return answer
	case errors.Is(err, spool.ErrUnsure):
		answer.Message = "trouble on this side; the message may be queued"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EROFS):
		answer.Code, answer.EnhancedCode, answer.Message = 452, smtp.EnhancedCode{4, 3, 1}, "no room in the spool; the message was not queued"
	}
	if s.o.Local {
		answer.Message += ": " + oneLine(err.Error())
	}
	return answer
}

// oneLine keeps a text within its reply line (RFC 5321 section 4.5.3.1.5).
func oneLine(text string) string {
	return printable.Cut(printable.ASCII(strings.ReplaceAll(text, "\n", "; ")), 400)
}
