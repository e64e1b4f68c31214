package mailbox

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"notices/spool/smtpclient"
)

// Reason says what went wrong.
type Reason string

// Reasons.
const (
	NoName       Reason = "dns"
	NoConnection Reason = "connect"
	NoTLS        Reason = "tls"
	Login        Reason = "login"  // refused
	NoMethod     Reason = "method" // the server offers no login that suits the secret
	NoFolder     Reason = "folder"
	Refused      Reason = "refused" // some other command
	TimeUp       Reason = "time"
	Lost         Reason = "lost"
	Broken       Reason = "broken" // it does not keep to the protocol
)

// Error is a trouble with the server.
type Error struct {
	Reason Reason
	Text   string // one line, without the server's name
	Err    error

	server     *Server
	step       string // what was under way
	wantsToken bool   // the server takes access tokens
}

func (e *Error) Error() string {
	return net.JoinHostPort(e.server.Host, strconv.Itoa(e.server.Port)) + ": " + e.Text
}

func (e *Error) Unwrap() error { return e.Err }

// Hints are what a person can try, the likeliest first.
func (e *Error) Hints() []string {
	s := e.server
	host := fmt.Sprintf("Check imap in [bounces]: is it the server for reading mail (IMAP), as your provider gives it? %s is what is set.", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	again := "Run it again in a few minutes: the server may be busy, or may have had too many connections from here."
	switch e.Reason {
	case NoName:
		return []string{host, "Is this machine online, and does it find other names?"}
	case NoConnection:
		return []string{host, fmt.Sprintf("Does a firewall, here or at your provider, let this machine connect to port %d? IMAP is at port 993 with most providers.", s.Port)}
	case NoTLS:
		return e.tlsHints(host)
	case Login:
		return e.loginHints()
	case NoMethod:
		if s.Tokens != nil {
			return []string{"The server does not accept access tokens. Set login and password_file in [bounces] instead, or check imap.", host}
		}
		if !e.wantsToken {
			return []string{"The server takes neither a plain password under TLS (PLAIN, LOGIN) nor an access token. Ask whoever runs it to allow one of them, or check imap.", host}
		}
		return []string{"The server wants an access token: set auth = \"google\" or auth = \"microsoft\" in [bounces], or token_command.", host}
	case NoFolder:
		if strings.Contains(strings.ToLower(e.Text), "unsafe login") {
			return []string{"Some providers (NetEase: 163.com, 126.com, yeah.net) refuse programs that they do not know: allow IMAP for other programs in the settings of the account, or have its mail forwarded to another mailbox."}
		}
		return []string{"Check folder in [bounces]: the name has to be as the server has it, which may be in another language or begin with \"INBOX.\"."}
	case Refused:
		if startsWithAny(e.step, stepMove, stepMake) {
			return []string{
				"Check move_to in [bounces]: a folder below another is written with the server's separator, like \"INBOX.Bounces\" or \"INBOX/Bounces\"; some servers have all folders below INBOX.",
				"Or create that folder with a mail program, or leave move_to out: bounces are then flagged as seen and stay where they are. What was read is recorded.",
			}
		}
		return []string{"Ask whoever runs the server what its answer means.", again}
	case Broken:
		return []string{host}
	case TimeUp:
		return []string{again, host + " Port 993 uses TLS from the first octet, any other port STARTTLS."}
	}
	if e.step == stepLogin { // some servers hang up instead of refusing
		return append([]string{again}, e.loginHints()...)
	}
	return []string{again}
}

func startsWithAny(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

func (e *Error) tlsHints(host string) []string {
	if _, bad := smtpclient.CertificateFaults(e.Err, e.server.Host, e.server.Now()); bad {
		return []string{
			"Check the name in imap of [bounces]: the certificate has to be for it.",
			"If the server is your own, name a file with its authority's certificate: ca_file in [bounces].",
		}
	}
	return []string{host, "Port 993 uses TLS from the first octet, any other port STARTTLS. Nothing is read without TLS."}
}

func (e *Error) loginHints() []string {
	s := e.server
	switch {
	case s.SecretKey == "token_command":
		return []string{fmt.Sprintf("Run the command of token_command in [bounces] by hand, as the user that runs notices: it must print an access token of %s that may read mail, and nothing else.", s.Login)}
	case s.Tokens != nil:
		return []string{
			"Log in again: notices google-login, or notices microsoft-login.",
			fmt.Sprintf("Is IMAP switched on for %s? Google: in the settings of Gmail, or by the administrator; Microsoft 365: in the Exchange admin center.", s.Login),
		}
	}
	key := s.SecretKey
	if key == "" {
		key = "password_file, password or password_command"
	}
	return []string{
		fmt.Sprintf("Check login = %q in [bounces]: some servers want the whole address, some only the part before the @.", s.Login),
		fmt.Sprintf("Check %s in [bounces]. A file must contain nothing but the password, on one line.", key),
		"Google, Microsoft, Yahoo and others refuse the ordinary password to programs: make an app password in the account's security settings, or set auth = \"google\" or \"microsoft\" in [bounces].",
		"Is reading by IMAP switched on for the account? Many providers have a switch for it in the settings.",
	}
}
