package smtptest

import (
	"io"
	"strconv"
	"strings"

	"github.com/emersion/go-smtp"
)

// session is go-smtp's view of one connection.
type session struct {
	s       *Server
	c       *filter
	login   string
	message Message
}

func (s *Server) newSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{s: s, c: c.Conn().(*filter)}, nil
}

func (x *session) Reset()        { x.message = Message{} }
func (x *session) Logout() error { return nil }

func (x *session) Mail(from string, opts *smtp.MailOptions) error {
	switch o := x.s.now(); {
	case (o.Users != nil || o.Tokens != nil) && x.login == "":
		return refuse(530, 7, 0, "authentication required")
	case o.Size > 0 && opts.Size > o.Size:
		return refuse(552, 3, 4, "message too big for "+strconv.FormatInt(o.Size, 10))
	case opts.UTF8 && !o.SMTPUTF8:
		return refuse(555, 6, 7, "no SMTPUTF8 here")
	case (opts.Return != "" || opts.EnvelopeID != "") && !o.DSN:
		return refuse(555, 5, 4, "no DSN here")
	}
	x.message = Message{
		Sender: from, Login: x.login, TLS: x.c.secure, Connection: x.c.number,
		EightBit: opts.Body == smtp.Body8BitMIME, UTF8: opts.UTF8, Size: opts.Size,
	}
	return nil
}

func (x *session) Rcpt(to string, opts *smtp.RcptOptions) error {
	switch o := x.s.now(); {
	case (len(opts.Notify) > 0 || opts.OriginalRecipient != "") && !o.DSN:
		return refuse(555, 5, 4, "no DSN here")
	case o.MaxRecipients > 0 && len(x.message.Recipients) >= o.MaxRecipients:
		return refuse(452, 5, 3, "too many recipients")
	}
	x.message.Recipients = append(x.message.Recipients, to)
	return nil
}

func (x *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		x.c.Close() // go-smtp would read the rest as commands, its issue 196
		return err
	}
	if size := x.s.now().Size; size > 0 && int64(len(data)) > size {
		return refuse(552, 3, 4, "message too big")
	}
	if x.c.answer != "" && !strings.HasPrefix(x.c.answer, "2") {
		return nil
	}
	x.message.Data = data
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.messages = append(x.s.messages, x.message)
	return nil
}

func refuse(code, subject, detail int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, subject, detail}, Message: text}
}
