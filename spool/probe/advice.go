package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/recode"
	"notices/spool/smtpclient"
)

// advice is what to try after a test that failed.
type advice struct {
	server   *smtpclient.Server
	from, to string // the addresses of the test message
	now      time.Time
	failure  *Error
}

// advise prints what failed and what to try.
func (t *test) advise(ctx context.Context, e *Error) {
	a := &advice{&t.server, t.From, t.To, t.Now(), e}
	verdict := "did not take the test message"
	if e.Outcome.Class == spool.Uncertain {
		verdict = "did not say whether it took the test message"
	}
	t.Print(fmt.Sprintf("%s %s: %s", t.called(), verdict, e.Outcome.Reply))
	t.Print("What to try:")
	for _, hint := range a.hints() {
		t.Print("  - " + hint)
	}
	if a.anotherPortMayHelp() {
		if hint := t.ports(ctx); hint != "" {
			t.Print("  - Try a different port. " + hint)
		}
	}
	if hint := a.lastResort(); hint != "" && e.Outcome.Reason == spool.ReasonTLS {
		t.Print("  - " + hint)
	}
}

// section is the server's section in the configuration.
func section(s *smtpclient.Server) string {
	if s.Name == "google" || s.Name == "microsoft" || s.Name == "service" {
		return "[" + s.Name + "]"
	}
	return "[[server]] number " + s.Name
}

// hints are for a person who runs a library, not a mail server. The likeliest comes first.
func (a *advice) hints() []string {
	s := a.server
	if a.failure.Outcome.Class == spool.Uncertain {
		return []string{"It may have accepted it: see whether the message has arrived at " + a.to + ", then run the test again."}
	}
	switch a.failure.Outcome.Reason {
	case spool.ReasonDNS:
		return []string{a.checkAddress(), "Is this machine online, and does it find other names?"}
	case spool.ReasonConnect:
		return []string{a.checkAddress(), fmt.Sprintf("Does a firewall, here or on the way, let this machine connect to port %d?", s.Port)}
	case spool.ReasonGreeting:
		return append(a.implicitHint(), a.checkAddress(), tryLater)
	case spool.ReasonProtocol, spool.ReasonShutdown, spool.ReasonBusy:
		return []string{a.checkAddress(), tryLater}
	case spool.ReasonTLS:
		return a.tlsHints()
	case spool.ReasonAuth:
		return a.loginHints()
	case spool.ReasonAuthWait:
		if s.Name == "service" {
			return []string{"The service has a problem of its own; site and key may well be right. There is nothing to do here: mail waits and goes out later by itself."}
		}
		return []string{"Run the test again in a few minutes: the server refuses logins for the time being, often after too many of them."}
	case spool.ReasonSecret: // the password or token cannot be read here
		if hint := a.loginCommand(); hint != "" {
			return []string{hint}
		}
		return []string{fmt.Sprintf("Check %s in %s: notices must be able to read it, as the user that runs it.", a.secretKey(), section(a.server))}
	case spool.ReasonToken:
		return []string{"Is this machine online, and does a firewall or proxy let it reach the provider by https?", "Run the test again in a few minutes."}
	}
	return a.messageHints()
}

const tryLater = "Run the test again in a few minutes: the server may be busy, or may have had too many connections from here."

// implicitHint is for a server that has not greeted: one that waits for TLS to begin says nothing.
func (a *advice) implicitHint() []string {
	if s := a.server; a.failure.Outcome.Reply.Code != 0 || s.TLS == smtpclient.TLSImplicit || s.Port == 465 && s.TLS != smtpclient.TLSStart || s.Port == 25 {
		return nil
	}
	return []string{fmt.Sprintf("Does TLS begin with the connection at port %d, as it does at 465? Then set tls = \"implicit\" in %s.", a.server.Port, section(a.server))}
}

func (a *advice) checkAddress() string {
	if a.server.Name == "service" {
		return fmt.Sprintf("Check the address: is host = %q in [service] spelt as the service gave it to you? Only the name, no https:// and no port.", a.server.Host)
	}
	return fmt.Sprintf("Check the address: is host = %q in %s spelt as your provider gives it for sending mail (SMTP)? Only the name, no https:// and no port.",
		a.server.Host, section(a.server))
}

// secretKey is the key that gives the password, or the keys that can.
func (a *advice) secretKey() string {
	return cmp.Or(a.server.SecretKey, "password_file, password or password_command")
}

// loginCommand repairs the login of an account that has no password; else it is "".
func (a *advice) loginCommand() string {
	switch s := a.server; {
	case s.Tokens == nil:
		return ""
	case s.Name == "microsoft", s.Name == "google":
		return "Run: notices " + s.Name + "-login"
	case s.SecretKey == "token_command":
		return fmt.Sprintf("Run the command of token_command in %s by hand, as the user that runs notices: it must print an access token of %s that is still good, and nothing else.",
			section(a.server), s.Login)
	}
	return "Log in again: notices google-login, or notices microsoft-login."
}

// loginHints are for a login that was refused, or required.
func (a *advice) loginHints() []string {
	if a.server.Name == "service" {
		return []string{"Check site and key_file in [service]: the service knows no such site, or its key is another one. It may have been replaced or revoked; ask the service for a new one."}
	}
	if a.server.Login == "" {
		return []string{fmt.Sprintf("The server requires a login: set login and password_file in %s.", section(a.server))}
	}
	none, other := smtpclient.NoMechanism(a.failure.Outcome)
	switch {
	case none:
		hints := []string{"The server offers no login (AUTH) here: mail is handed in at another port, mostly 587 or 465, or at another host."}
		if a.isServerSection() {
			hints = append(hints, fmt.Sprintf("If the server needs no login, %s in %s.", WithoutLogin(a.server), section(a.server)))
		}
		return append(hints, a.checkAddress())
	case other && a.server.Tokens != nil && a.isServerSection():
		return []string{fmt.Sprintf("The server does not accept access tokens (XOAUTH2). Set login and password_file in %s instead of %s, or check host and port.",
			section(a.server), cmp.Or(a.server.SecretKey, "auth"))}
	case other:
		return []string{a.checkAddress(), "The server supports no login method that notices supports. Ask whoever runs it to offer AUTH PLAIN or SCRAM-SHA-256."}
	case smtpclient.NotProved(a.failure.Outcome):
		return []string{
			fmt.Sprintf("The server could not prove that it knows the password of %s: it may be an impostor, or keep another password. The password was not shown to it.", a.server.Login),
			a.checkAddress(),
			fmt.Sprintf("Check %s in %s.", a.secretKey(), section(a.server)),
		}
	}
	if hint := a.loginCommand(); hint != "" {
		return []string{hint}
	}
	return []string{
		fmt.Sprintf("Check login = %q in %s: some servers want the whole address, some only the part before the @.", a.server.Login, section(a.server)),
		"Check the password. The file must contain nothing else, on one line.",
		"Google, Microsoft, Yahoo and others refuse the ordinary password to programs: make an app password in the account's security settings, or log in with notices google-login or notices microsoft-login.",
		"Ask your provider whether sending by SMTP (SMTP AUTH) is switched on for the account.",
	}
}

// WithoutLogin says what to set so that no login is tried.
func WithoutLogin(s *smtpclient.Server) string {
	switch {
	case s.SecretKey == "token_command":
		return "remove token_command and set login = \"\""
	case s.Tokens != nil:
		return "set auth = \"password\" and login = \"\""
	}
	return "set login = \"\""
}

// messageHints are for a server that does not take the message.
func (a *advice) messageHints() []string {
	switch a.failure.Outcome.Reason {
	case spool.ReasonLimit:
		if a.server.Name == "service" {
			return []string{"The service's limit for this site is used up. Mail waits meanwhile and goes out later by itself; if it happens often, ask whoever runs the service for a higher limit."}
		}
		return []string{"The account's limit is used up, or its provider has put it on hold. Wait a day, or ask the provider; rate_per_day and rate_per_minute keep below a limit."}
	case spool.ReasonAccount:
		return []string{"The provider has shut the account, or not opened it for sending. Log in at the provider's site and see what it wants, or ask its support."}
	case spool.ReasonRelay:
		return []string{
			fmt.Sprintf("The server does not send mail for this machine. If you have an account there, set login and password_file in %s.", section(a.server)),
			"Otherwise ask whoever runs the server to let this machine send through it.",
		}
	case spool.ReasonHelo:
		return []string{
			"The server rejects the name with which this machine greets it. Set hostname in [site] to a full name of this machine that the server finds in DNS, such as mail.example.org.",
			"Or log in: if you have an account there, set login and password_file in " + section(a.server) + ".",
		}
	case spool.ReasonSender, spool.ReasonSendAs, spool.ReasonIdentity:
		return []string{
			fmt.Sprintf("The account may not send as %s. Set address in [site] to the account's own address, and rewrite_from = true if other senders use this machine.", a.from),
			"Or have the account allowed to send as that address.",
		}
	case spool.ReasonCannot:
		return a.cannotHints()
	case spool.ReasonLost:
		return []string{"Run the test again. If it is lost each time, a firewall or virus scanner on the way may cut the connection."}
	}
	switch {
	case a.failure.Outcome.Scope == spool.RecipientScope:
		return []string{fmt.Sprintf("The server works but does not take mail for %s. Check that address, or send the test to another: --to ADDRESS.", a.to)}
	case a.failure.Outcome.Class == spool.Deferred:
		return []string{"Run the test again in a few minutes: the refusal is temporary."}
	}
	if a.failure.Outcome.Reply.Code == 0 {
		return []string{"No server was asked: what is said above is wrong with the message."}
	}
	return []string{"Ask whoever runs the server what its answer means."}
}

// cannotHints are for addresses with letters that only servers with SMTPUTF8 take.
func (a *advice) cannotHints() (hints []string) {
	if recode.NeedsUTF8(a.from) {
		hints = append(hints, fmt.Sprintf("The server accepts no sender with letters other than a-z before the @. In [site], set address to one that has only a-z, instead of %s.", a.from))
	}
	if recode.NeedsUTF8(a.to) && a.to != a.from {
		hints = append(hints, "Send the test to an address that has only letters a-z before the @: --to ADDRESS.")
	}
	return append(hints, "Or use a server that offers SMTPUTF8, as Gmail's and Microsoft's do.")
}

// tlsHints are for a connection that could not be made secure.
func (a *advice) tlsHints() []string {
	f, bad := smtpclient.CertificateFaults(a.failure.Err, a.server.Host, a.now)
	text := a.failure.Outcome.Reply.Text
	switch {
	case bad:
		return a.certificateHints(&f)
	case strings.Contains(text, "protocol version"):
		return []string{"The server supports only old versions of TLS that are no longer secure. Whoever runs it must update it: TLS 1.2 at least."}
	case strings.Contains(text, "handshake failure"):
		return []string{"The server and this machine have no cipher in common: it supports only ciphers like RC4 and 3DES, which are no longer secure. Whoever runs it must update it."}
	case a.failure.Outcome.Reply.Code != 0:
		return []string{"The server wants or refuses TLS in its own way; try tls = \"starttls\" with port 587, or tls = \"implicit\" with port 465."}
	}
	return []string{a.checkAddress()}
}

// certificateHints are one for each fault, and how to accept the certificate all the same.
func (a *advice) certificateHints(f *smtpclient.Faults) (hints []string) {
	host := a.server.Host
	hint := func(is bool, format string, args ...any) {
		if is {
			hints = append(hints, fmt.Sprintf(format, args...))
		}
	}
	hint(f.NotPinned, "The certificate is not the one that tls_fingerprint names. If whoever runs the server says that it was renewed, set the new one: tls_fingerprint = %q in %s.", pin(f.Cert), section(a.server))
	if f.NotPinned {
		return hints
	}
	hint(f.NoAltName, "The certificate has no subject alternative name; its common name, %q, does not count any more. Whoever runs the server should make a new one with a subject alternative name for %s.", f.Cert.Subject.CommonName, host)
	hint(f.WrongName, "The certificate is not for %s but for %s. If that is the right server, set host to a name that the certificate has.", host, strings.Join(names(f.Cert), ", "))
	hint(f.SelfSigned && !f.NoAltName, "The certificate is self-signed: no authority vouches for it. If the server is your own, name a file with its certificate: ca_file = \"/etc/notices/ca.pem\".")
	hint(f.SelfSigned && f.NoAltName, "It is also self-signed: no authority vouches for it.")
	hint(f.SHA1, "The certificate is signed with SHA-1, which allows forged certificates; ca_file does not help. Whoever runs the server must have it signed again (SHA-256), or name another host.")
	var unknown x509.UnknownAuthorityError
	if f.Unknown && errors.As(a.failure.Err, &unknown) && unknown.Cert != nil {
		hint(true, "The certificate was issued by %q, an authority that this machine does not know. If it is your own CA, name its certificate: ca_file = \"/etc/notices/ca.pem\".", issuer(unknown.Cert))
		hint(true, "If it is a public one, install this machine's list of CAs (package ca-certificates).")
	}
	hint(f.Expired, "The certificate is valid from %s until %s. If this machine's clock is right, whoever runs the server must renew it.", day(f.Cert.NotBefore), day(f.Cert.NotAfter))
	hint((f.NoAltName || f.SelfSigned || f.SHA1 || f.Unknown) && a.isServerSection(), "Or accept this one certificate and no other: ask whoever runs the server whether its SHA-256 fingerprint is the one below, and if it is, set in %s: tls_fingerprint = %q", section(a.server), pin(f.Cert))
	if len(hints) == 0 {
		return []string{a.checkAddress()}
	}
	return hints
}

// pin is a certificate as tls_fingerprint names it.
func pin(c *x509.Certificate) string { return "sha256:" + smtpclient.Fingerprint(c) }

// isServerSection reports whether it is a [[server]], which has all keys.
func (a *advice) isServerSection() bool { return strings.HasPrefix(section(a.server), "[[") }

// lastResort is advice for where it helps, which is never the case for a token.
func (a *advice) lastResort() string {
	s := a.server
	const where = "As a last resort, on a network that you trust: "
	switch {
	case s.Tokens != nil, !a.isServerSection():
		return ""
	case s.Login != "" && !(s.AllowNonSecure && s.AllowNonSecureLogin):
		return where + fmt.Sprintf("allow_non_secure = true and allow_non_secure_login = true in %s let the mail and the password travel where others could read them.", section(a.server))
	case s.Login == "" && !s.AllowNonSecure:
		return where + fmt.Sprintf("allow_non_secure = true in %s lets the mail travel where others could read it.", section(a.server))
	}
	return ""
}

// anotherPortMayHelp reports whether it looks like the wrong port. A name that does not
// resolve has no ports, and a certificate is the same at all of them.
func (a *advice) anotherPortMayHelp() bool {
	switch a.failure.Outcome.Reason {
	case spool.ReasonConnect, spool.ReasonGreeting, spool.ReasonProtocol, spool.ReasonShutdown, spool.ReasonBusy, spool.ReasonRelay:
		return true
	case spool.ReasonTLS:
		var certificate *tls.CertificateVerificationError
		return !errors.As(a.failure.Err, &certificate)
	case spool.ReasonAuth:
		return a.failure.Outcome.Reply.Code == 0 // AUTH is not offered at this one
	}
	return false
}
