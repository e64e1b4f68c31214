package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"notices/spool"
	"notices/spool/recode"
	"notices/spool/smtpclient"
)

// advise prints what failed and what to try.
func (t *test) advise(ctx context.Context, e *Error) {
	verdict := "did not take the test message"
	if e.Outcome.Class == spool.Uncertain {
		verdict = "did not say whether it took the test message"
	}
	t.Print(fmt.Sprintf("Server %s %s: %s", t.server.Name, verdict, e.Outcome.Reply))
	t.Print("What to try:")
	for _, hint := range t.hints(e) {
		t.Print("  - " + hint)
	}
	if anotherPortMayHelp(e) {
		t.Print("  - Try a different port. " + t.ports(ctx))
	}
	if hint := t.lastResort(); hint != "" && e.Outcome.Reason == spool.ReasonTLS {
		t.Print("  - " + hint)
	}
}

// section is the server's section in the configuration.
func (t *test) section() string {
	switch name := t.server.Name; name {
	case "google", "microsoft":
		return "[" + name + "]"
	default:
		return "[[server]] number " + name
	}
}

// hints are for a person who runs a library, not a mail server. The likeliest comes first.
func (t *test) hints(e *Error) []string {
	s := &t.server
	if e.Outcome.Class == spool.Uncertain {
		return []string{"It may have taken it all the same: look whether the message has come to " + t.To + ", then run the test again."}
	}
	switch e.Outcome.Reason {
	case spool.ReasonDNS:
		return []string{t.checkAddress(), "Is this machine online, and does it find other names?"}
	case spool.ReasonConnect:
		return []string{t.checkAddress(), fmt.Sprintf("Does a firewall, here or at your provider, let this machine connect to port %d?", s.Port)}
	case spool.ReasonGreeting, spool.ReasonProtocol, spool.ReasonShutdown, spool.ReasonBusy:
		return []string{t.checkAddress(), "Run the test again in a few minutes: the server may be busy, or may have had too many connections from here."}
	case spool.ReasonTLS:
		return t.tlsHints(e)
	case spool.ReasonAuth:
		return t.loginHints(e)
	case spool.ReasonAuthWait:
		return []string{"Run the test again in a few minutes: the server refuses logins for the time being, often after too many of them."}
	case spool.ReasonSecret: // the password or token cannot be read here
		if hint := t.loginCommand(); hint != "" {
			return []string{hint}
		}
		return []string{fmt.Sprintf("Check %s in %s: notices must be able to read it, as the user that runs it.", t.secretKey(), t.section())}
	case spool.ReasonToken:
		return []string{"Is this machine online, and does a firewall or proxy let it reach the provider by https?", "Run the test again in a few minutes."}
	}
	return t.messageHints(e)
}

func (t *test) checkAddress() string {
	return fmt.Sprintf("Check the address: is host = %q in %s spelt as your provider gives it for sending mail (SMTP)? Only the name, no https:// and no port.",
		t.server.Host, t.section())
}

// secretKey is the key that gives the password, or the keys that can.
func (t *test) secretKey() string {
	return cmp.Or(t.server.SecretKey, "password_file, password or password_command")
}

// loginCommand repairs the login of an account that has no password; else it is "".
func (t *test) loginCommand() string {
	switch s := &t.server; {
	case s.Tokens == nil:
		return ""
	case s.Name == "microsoft", s.Name == "google":
		return "Run: notices " + s.Name + "-login"
	case s.SecretKey == "token_command":
		return fmt.Sprintf("Run the command of token_command in %s by hand, as the user that runs notices: it must print an access token of %s that is still good, and nothing else.",
			t.section(), s.Login)
	}
	return "Log in anew: notices google-login, or notices microsoft-login."
}

// loginHints are for a login that was refused, or required.
func (t *test) loginHints(e *Error) []string {
	if t.server.Login == "" {
		return []string{fmt.Sprintf("The server wants a login: set login and password_file in %s.", t.section())}
	}
	none, other := smtpclient.NoMechanism(e.Outcome)
	switch {
	case none:
		return t.noAuthHints()
	case other && t.server.Tokens != nil && t.isServerSection():
		return []string{fmt.Sprintf("The server takes no access token (XOAUTH2). Set login and password_file in %s instead of %s, or check host and port.",
			t.section(), cmp.Or(t.server.SecretKey, "auth"))}
	case other:
		return []string{t.checkAddress(), "The server knows no way to log in that notices knows, too. Ask who runs it to offer AUTH PLAIN or SCRAM-SHA-256."}
	case smtpclient.NotProved(e.Outcome):
		return []string{
			fmt.Sprintf("The server could not prove that it knows the password of %s: it may be an impostor, or keep another password. The password was not shown to it.", t.server.Login),
			t.checkAddress(),
			fmt.Sprintf("Check %s in %s.", t.secretKey(), t.section()),
		}
	}
	if hint := t.loginCommand(); hint != "" {
		return []string{hint}
	}
	return []string{
		fmt.Sprintf("Check login = %q in %s: some servers want the whole address, some only the part before the @.", t.server.Login, t.section()),
		"Check the password. The file must hold it alone, on one line.",
		"Google, Microsoft, Yahoo and others refuse the ordinary password to programs: make an app password in the account's security settings, or log in with notices google-login or notices microsoft-login.",
		"Ask your provider whether sending by SMTP (SMTP AUTH) is switched on for the account.",
	}
}

// noAuthHints are for a server that offers no AUTH at all.
func (t *test) noAuthHints() []string {
	hints := []string{"The server offers no login (AUTH) here: mail is handed in at another port, mostly 587 or 465, or at another host."}
	if t.isServerSection() {
		hints = append(hints, fmt.Sprintf("If the server needs no login, %s in %s.", WithoutLogin(&t.server), t.section()))
	}
	return append(hints, t.checkAddress())
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
func (t *test) messageHints(e *Error) []string {
	switch e.Outcome.Reason {
	case spool.ReasonLimit:
		return []string{"The account's limit is used up, or its provider has put it on hold. Wait a day, or ask the provider; rate_per_day and rate_per_minute keep below a limit."}
	case spool.ReasonAccount:
		return []string{"The provider has shut the account, or not opened it for sending. Log in at the provider's site and see what it wants, or ask its support."}
	case spool.ReasonRelay:
		return []string{
			fmt.Sprintf("The server does not send mail for this machine. If you have an account there, set login and password_file in %s.", t.section()),
			"Else ask who runs the server to let this machine send through it.",
		}
	case spool.ReasonHelo:
		return []string{
			"The server refuses the name that this machine greets it with. Set hostname in [site] to a full name of this machine that the server finds in DNS, such as mail.example.org.",
			"Or log in: if you have an account there, set login and password_file in " + t.section() + ".",
		}
	case spool.ReasonSender, spool.ReasonSendAs, spool.ReasonIdentity:
		return []string{
			fmt.Sprintf("The account may not send as %s. Set address in [site] to the account's own address, and rewrite_from = true if other senders use this machine.", t.From),
			"Or have the account allowed to send as that address.",
		}
	case spool.ReasonCannot:
		return t.cannotHints()
	case spool.ReasonLost:
		return []string{"Run the test again. If it is lost each time, a firewall or virus scanner on the way may cut the connection."}
	}
	switch {
	case e.Outcome.Scope == spool.RecipientScope:
		return []string{fmt.Sprintf("The server works but does not take mail for %s. Check that address, or send the test to another: --to ADDRESS.", t.To)}
	case e.Outcome.Class == spool.Deferred:
		return []string{"Run the test again in a few minutes: this is a refusal for now."}
	}
	if e.Outcome.Reply.Code == 0 {
		return []string{"No server was asked: what is said above is wrong with the message."}
	}
	return []string{"The answer is the server's own: ask who runs it what it means."}
}

// cannotHints are for addresses with letters that only servers with SMTPUTF8 take.
func (t *test) cannotHints() (hints []string) {
	if recode.NeedsUTF8(t.From) {
		hints = append(hints, fmt.Sprintf("The server takes no sender with other letters than a-z before the @. Set address in [site] to one with letters a-z alone, in place of %s.", t.From))
	}
	if recode.NeedsUTF8(t.To) && t.To != t.From {
		hints = append(hints, "Send the test to an address with letters a-z alone before the @: --to ADDRESS.")
	}
	return append(hints, "Or use a server that offers SMTPUTF8, as Gmail's and Microsoft's do.")
}

// tlsHints are for a connection that could not be made secure.
func (t *test) tlsHints(e *Error) []string {
	f, bad := smtpclient.CertificateFaults(e.Err, t.server.Host, t.Now())
	text := e.Outcome.Reply.Text
	switch {
	case bad:
		return t.certificateHints(&f, e.Err)
	case strings.Contains(text, "protocol version"):
		return []string{"The server knows only old versions of TLS that protect nothing any more. Whoever runs it must bring it up to date: TLS 1.2 at least."}
	case strings.Contains(text, "handshake failure"):
		return []string{"The server and this machine have no cipher in common: it knows only such as RC4 and 3DES, which protect nothing any more. Whoever runs it must bring it up to date."}
	case e.Outcome.Reply.Code != 0:
		return []string{"The server wants or refuses TLS in its own way; try tls = \"starttls\" with port 587, or tls = \"implicit\" with port 465."}
	}
	return []string{t.checkAddress()}
}

// certificateHints are one for each fault, and how to accept the certificate all the same.
func (t *test) certificateHints(f *smtpclient.Faults, err error) (hints []string) {
	host := t.server.Host
	hint := func(is bool, format string, args ...any) {
		if is {
			hints = append(hints, fmt.Sprintf(format, args...))
		}
	}
	hint(f.NotPinned, "The certificate is not the one that tls_fingerprint names. If whoever runs the server says that it was renewed, set it anew: tls_fingerprint = %q in %s.", pin(f.Cert), t.section())
	if f.NotPinned {
		return hints
	}
	hint(f.NoAltName, "The certificate has no subject alternative name; its common name, %q, does not count any more. Whoever runs the server should make a new one with a subject alternative name for %s.", f.Cert.Subject.CommonName, host)
	hint(f.WrongName, "The certificate is not for %s but for %s. If that is your provider's server too, set host to a name that the certificate has.", host, strings.Join(names(f.Cert), ", "))
	hint(f.SelfSigned && !f.NoAltName, "The certificate is self-signed: no authority vouches for it. If the server is your own, name a file with its certificate: ca_file = \"/etc/notices/ca.pem\".")
	hint(f.SelfSigned && f.NoAltName, "It is also self-signed: no authority vouches for it.")
	hint(f.SHA1, "The certificate is signed with SHA-1, by which certificates can be forged; ca_file does not help. Whoever runs the server must have it signed anew (SHA-256), or name another host.")
	var unknown x509.UnknownAuthorityError
	if f.Unknown && errors.As(err, &unknown) && unknown.Cert != nil {
		hint(true, "The certificate was issued by %q, an authority that this machine does not know. If it is your own CA, name its certificate: ca_file = \"/etc/notices/ca.pem\".", issuer(unknown.Cert))
		hint(true, "If it is a public one, install this machine's list of CAs (package ca-certificates).")
	}
	hint(f.Expired, "The certificate is valid from %s until %s. If this machine's clock is right, whoever runs the server must renew it.", day(f.Cert.NotBefore), day(f.Cert.NotAfter))
	hint((f.NoAltName || f.SelfSigned || f.SHA1 || f.Unknown) && t.isServerSection(), "Or accept this one certificate and no other: ask whoever runs the server whether its SHA-256 fingerprint is the one below, and if it is, set in %s: tls_fingerprint = %q", t.section(), pin(f.Cert))
	if len(hints) == 0 {
		return []string{t.checkAddress()}
	}
	return hints
}

// pin is a certificate as tls_fingerprint names it.
func pin(c *x509.Certificate) string { return "sha256:" + smtpclient.Fingerprint(c) }

// isServerSection reports whether it is a [[server]], which has all keys.
func (t *test) isServerSection() bool { return strings.HasPrefix(t.section(), "[[") }

// lastResort is advice for where it helps, which is never the case for a token.
func (t *test) lastResort() string {
	s := &t.server
	const where = "As a last resort, on a network that you trust: "
	switch {
	case s.Tokens != nil:
		return ""
	case s.Login != "" && !(s.AllowNonSecure && s.AllowNonSecureLogin):
		return where + fmt.Sprintf("allow_non_secure = true and allow_non_secure_login = true in %s let the mail and the password travel where others could read them.", t.section())
	case s.Login == "" && !s.AllowNonSecure:
		return where + fmt.Sprintf("allow_non_secure = true in %s lets the mail travel where others could read it.", t.section())
	}
	return ""
}

// anotherPortMayHelp reports whether it looks like the wrong port. A name that does not
// resolve has no ports, and a certificate is the same at all of them.
func anotherPortMayHelp(e *Error) bool {
	switch e.Outcome.Reason {
	case spool.ReasonConnect, spool.ReasonGreeting, spool.ReasonProtocol, spool.ReasonShutdown, spool.ReasonBusy, spool.ReasonRelay:
		return true
	case spool.ReasonTLS:
		var certificate *tls.CertificateVerificationError
		return !errors.As(e.Err, &certificate)
	case spool.ReasonAuth:
		return e.Outcome.Reply.Code == 0 // AUTH is not offered at this one
	}
	return false
}
