package smtptest

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
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
	o := x.s.now()
	if (o.Users != nil || o.Tokens != nil) && x.login == "" {
		return refuse(530, 7, 0, "authentication required")
	}
	if o.Size > 0 && opts.Size > o.Size {
		return refuse(552, 3, 4, "message too big for "+strconv.FormatInt(o.Size, 10))
	}
	if opts.UTF8 && !o.SMTPUTF8 {
		return refuse(555, 6, 7, "no SMTPUTF8 here")
	}
	if (opts.Return != "" || opts.EnvelopeID != "") && !o.DSN {
		return refuse(555, 5, 4, "no DSN here")
	}
	x.message = Message{
		Sender: from, Login: x.login, TLS: x.c.secure, Connection: x.c.number,
		EightBit: opts.Body == smtp.Body8BitMIME, UTF8: opts.UTF8, Size: opts.Size,
	}
	return nil
}

func (x *session) Rcpt(to string, opts *smtp.RcptOptions) error {
	if (len(opts.Notify) > 0 || opts.OriginalRecipient != "") && !x.s.now().DSN {
		return refuse(555, 5, 4, "no DSN here")
	}
	if limit := x.s.now().MaxRecipients; limit > 0 && len(x.message.Recipients) >= limit {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 5, 3}, Message: "too many recipients"}
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

// AuthMechanisms are what AUTH offers.
func (x *session) AuthMechanisms() []string {
	o := x.s.now()
	var names []string
	switch {
	case o.Mechanisms != nil:
		names = append(names, o.Mechanisms...)
	case o.Users != nil:
		names = append(names, sasl.Plain, sasl.Login)
	}
	if o.Tokens != nil {
		names = append(names, "XOAUTH2")
	}
	return names
}

func (x *session) Auth(name string) (sasl.Server, error) {
	o := x.s.now()
	switch {
	case name == sasl.Plain && o.Users != nil:
		return sasl.NewPlainServer(func(_, login, password string) error {
			return x.check(o.Users, login, password)
		}), nil
	case name == sasl.Login && o.Users != nil:
		return &loginServer{check: func(login, password string) error { return x.check(o.Users, login, password) }}, nil
	case name == "SCRAM-SHA-256" && o.Users != nil:
		return x.scram(&o)
	case name == "CRAM-MD5" && o.Users != nil:
		return &cramServer{users: o.Users, check: func(login, password string) error { return x.check(o.Users, login, password) }}, nil
	case name == "XOAUTH2" && o.Tokens != nil:
		return &xoauth2Server{check: func(login, token string) error { return x.check(o.Tokens, login, token) }}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (x *session) check(known map[string]string, login, secret string) error {
	want, ok := known[login]
	if !ok || want != secret {
		x.s.count(func(c *Counts) { c.LoginErrors++ })
		return smtp.ErrAuthFailed
	}
	x.s.count(func(c *Counts) { c.Logins++ })
	x.login = login
	return nil
}

// loginServer is AUTH LOGIN, which go-sasl has for clients only.
type loginServer struct {
	check func(login, password string) error
	login *string
}

func (l *loginServer) Next(response []byte) ([]byte, bool, error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case l.login == nil:
		login := string(response)
		l.login = &login
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(*l.login, string(response))
}

// xoauth2Server refuses as Google does: a challenge that explains, then 535.
type xoauth2Server struct {
	check   func(login, token string) error
	refused error
}

var errSyntax = errors.New("malformed XOAUTH2 response")

func (x *xoauth2Server) Next(response []byte) ([]byte, bool, error) {
	if x.refused != nil {
		return nil, true, x.refused
	}
	if response == nil {
		return []byte{}, false, nil
	}
	parts := strings.Split(string(response), "\x01")
	if len(parts) != 4 {
		return nil, true, errSyntax
	}
	login, ok1 := strings.CutPrefix(parts[0], "user=")
	token, ok2 := strings.CutPrefix(parts[1], "auth=Bearer ")
	if !ok1 || !ok2 {
		return nil, true, errSyntax
	}
	if x.refused = x.check(login, token); x.refused != nil {
		return []byte(`{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}`), false, nil
	}
	return nil, true, nil
}
