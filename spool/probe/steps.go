package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"notices/spool/smtpclient"
	"notices/spool/smtpreply"
)

// expiresSoon is when to warn of a certificate's end: most are renewed a month before.
const expiresSoon = 14 * 24 * time.Hour

// say prints one step: a word, then its result.
func (t *test) say(word, what string) { t.Print(fmt.Sprintf("  %-*s%s", stepColumn-2, word, what)) }

// stepColumn is where the results of steps begin.
const stepColumn = 14

// Step splits a line of Print into what comes before the result of a step, and that result. Other lines
// are not split.
func Step(line string) (before, result string, ok bool) {
	if len(line) <= stepColumn || !strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "  - ") {
		return "", "", false
	}
	return line[:stepColumn], line[stepColumn:], true
}

// step prints a step of smtpclient.
func (t *test) step(s smtpclient.Step) {
	word, good := words(s, t.server.Login)
	switch {
	case s.Stage == smtpreply.StageConnect && s.Err == nil:
		t.connected = true
	case s.Stage == smtpreply.StageAuth && s.Err == nil:
		t.safe = sentFrom(s.Detail)
	case s.Stage == smtpreply.StageSecret && t.server.Tokens != nil:
		word = "sign-in" // an account has no password
	case s.Stage == smtpreply.StageSecret && t.server.Name == "service":
		word = "key"
	}
	var unverified *tls.CertificateVerificationError
	switch {
	case s.TLS != nil:
		t.certificate(word, s)
	case errors.As(s.Err, &unverified) && len(unverified.UnverifiedCertificates) > 0:
		t.say("certificate", describe(unverified.UnverifiedCertificates[0], t.Now()))
		t.say(word, "failed: "+s.Err.Error())
	case s.Stage == smtpreply.StageDNS && s.Detail == t.server.Host: // an address
	case s.Err != nil && word != "":
		t.say(word, "failed: "+s.Err.Error())
	case good != "":
		t.say(word, good)
	}
}

// words are the name of a stage and, if it succeeded, its description.
func words(s smtpclient.Step, login string) (word, good string) {
	switch s.Stage {
	case smtpreply.StageSecret:
		return "password", ""
	case smtpreply.StageDNS:
		return "name", "is " + strings.ReplaceAll(s.Detail, " ", ", ")
	case smtpreply.StageConnect:
		return "connection", s.Detail + " answers"
	case smtpreply.StageGreeting:
		return "greeting", s.Detail
	case smtpreply.StageHello:
		return "EHLO", ""
	case smtpreply.StageStartTLS:
		return "STARTTLS", ""
	case smtpreply.StageTLS:
		return "TLS", s.Detail
	case smtpreply.StageStepDown:
		return "less secure", s.Detail
	case smtpreply.StageAuth:
		return "login", login + " is logged in: " + s.Detail
	}
	return "", ""
}

// certificate prints the TLS version, and of the certificate the names, the issuer
// and the end.
func (t *test) certificate(word string, s smtpclient.Step) {
	t.say(word, tls.VersionName(s.TLS.Version)+", "+tls.CipherSuiteName(s.TLS.CipherSuite))
	if len(s.TLS.PeerCertificates) > 0 {
		t.say("certificate", describe(s.TLS.PeerCertificates[0], t.Now()))
	}
	if s.Err != nil {
		t.say("", "not verified: "+s.Err.Error())
	}
}

func describe(c *x509.Certificate, now time.Time) string {
	text := fmt.Sprintf("for %s, issued by %s, valid until %s",
		strings.Join(names(c), ", "), issuer(c), day(c.NotAfter))
	switch left := c.NotAfter.Sub(now); {
	case left < 0:
		return text + " (it has expired)"
	case left < expiresSoon:
		return text + fmt.Sprintf(" (%d days left: it should have been renewed)", int(left/(24*time.Hour)))
	}
	return text
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// names are the names that a certificate is valid for.
func names(c *x509.Certificate) []string {
	list := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		return []string{"no name"}
	}
	return list
}

func issuer(c *x509.Certificate) string {
	n := c.Issuer
	switch {
	case n.CommonName != "" && len(n.Organization) > 0 && n.Organization[0] != n.CommonName:
		return n.Organization[0] + " " + n.CommonName
	case n.CommonName != "":
		return n.CommonName
	}
	return n.String()
}
