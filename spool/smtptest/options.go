package smtptest

import "crypto/tls"

// TB is the part of testing.TB that is used here.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Options says how a Server behaves. The zero value is a server that takes
// everything in clear, without AUTH, and offers PIPELINING, 8BITMIME and SIZE.
type Options struct {
	Address string // to listen on; empty: 127.0.0.1

	TLS      *tls.Config // nil: none; else STARTTLS is offered
	Implicit bool        // with TLS: from the first byte, no STARTTLS

	// Users (login -> password) makes AUTH PLAIN and LOGIN offered and needed, Tokens
	// (login -> token) XOAUTH2; without TLS only with ClearLogin.
	Users, Tokens map[string]string
	ClearLogin    bool
	// Mechanisms for Users instead of PLAIN and LOGIN: also SCRAM-SHA-256 and CRAM-MD5.
	// What is offered and not known is answered with 504. Impostor: the server does not
	// know the password of SCRAM, and says 235 all the same.
	Mechanisms []string
	Impostor   bool

	NoPipelining, No8BitMIME, SMTPUTF8, DSN bool

	Size           int64 // told by SIZE and kept to; 0: no limit
	MaxRecipients  int   // in one transaction; more: 452 4.5.3; 0: no limit
	MaxConnections int   // one more at once: 421 4.7.0; 0: no limit
	MaxMessages    int   // on one connection; then 421 to the next MAIL; 0: no limit

	// Reply, if set, is asked at each step and may answer instead of the server; ""
	// leaves it to the server. stage is the command's verb (EHLO, STARTTLS, AUTH, MAIL,
	// RCPT, DATA, RSET, QUIT...), "connect" for the greeting, "body" for the first line of a
	// message, "dot" for its end; line is the command line. The answer is a reply
	// without its last CRLF, \n between its lines. Drop, Reset, Silent, Drip, Flood or Line at its
	// end come after it. A message whose dot is not answered with 2xx is not recorded.
	Reply func(stage, line string) string
}

// Endings of an answer of Options.Reply.
const (
	Drop   = "\x00drop"   // close the connection
	Reset  = "\x00reset"  // close it by RST
	Silent = "\x00silent" // say nothing more, until the client hangs up
	Drip   = "\x00drip"   // a reply that comes byte by byte and never ends
	Flood  = "\x00flood"  // a reply of endlessly many lines
	Line   = "\x00line"   // a line that does not end
)

func (o *Options) reply(stage, line string) string {
	if o.Reply == nil {
		return ""
	}
	return o.Reply(stage, line)
}
