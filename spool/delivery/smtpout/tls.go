package smtpout

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"notices/spool"
)

// implicit reports whether TLS begins with the first byte.
func (s *Server) implicit() bool {
	return s.TLS == TLSImplicit || s.TLS != TLSStart && s.Port == 465
}

// upgrade speaks STARTTLS (RFC 3207) and says EHLO again. A server that does not
// offer it can be used in clear on the same connection, where that is allowed.
func (c *Conn) upgrade() error {
	if !c.offers.startTLS {
		const text = "the server does not offer STARTTLS"
		if c.mayStepDown() {
			c.stepDown("no TLS, the mail travels in clear: " + text)
			return nil
		}
		e := c.trouble(spool.ReasonTLS, text, nil)
		c.observe(Step{Stage: StageStartTLS, Err: e})
		return e
	}
	code, text, err := c.command("STARTTLS")
	if err != nil {
		return c.lost(StageStartTLS, spool.ReasonTLS, err)
	}
	if code != 220 {
		return c.refused(StageStartTLS, code, text)
	}
	// What came behind the 220 in clear would be read as if it had come over TLS:
	// somebody in between put it there (CVE-2011-0411). Not a case for a step down.
	if c.br.Buffered() > 0 {
		return c.lost(StageStartTLS, spool.ReasonProtocol, protocolError("bytes in clear behind the answer to STARTTLS"))
	}
	c.observe(Step{Stage: StageStartTLS, Detail: c.reply(code, "", text).String()})
	if err := c.handshake(); err != nil {
		return err
	}
	return c.hello()
}

// handshake begins TLS. Where a step down is allowed an unverified certificate does not
// end it: the second rung of the ladder is the same handshake.
func (c *Conn) handshake() error {
	host := strings.TrimSuffix(c.server.Host, ".")
	config := &tls.Config{ServerName: host, RootCAs: c.server.Roots, MinVersion: tls.VersionTLS12}
	var unverified error
	if c.mayStepDown() {
		config.InsecureSkipVerify = true // verified below, and the failure noted
		config.VerifyConnection = func(state tls.ConnectionState) error {
			unverified = verify(state, host, c.server.Roots)
			return nil
		}
	}
	tc := tls.Client(c.raw, config)
	c.watch.armRead(c.timeout)
	c.watch.armWrite(c.timeout)
	if err := c.watch.explain(tc.Handshake()); err != nil {
		return c.tlsTrouble(err)
	}
	state := tc.ConnectionState()
	c.use(tc)
	c.observe(Step{Stage: StageTLS, Detail: describe(state), Err: unverified, TLS: &state})
	if unverified != nil {
		c.stepDown("unverified TLS: " + unverified.Error())
	}
	return nil
}

// verify is what crypto/tls does without InsecureSkipVerify.
func verify(state tls.ConnectionState, host string, roots *x509.CertPool) error {
	intermediates := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: intermediates})
	return err
}

func (c *Conn) tlsTrouble(err error) *Error {
	text := "no TLS: " + lossText(err)
	var header tls.RecordHeaderError
	if errors.As(err, &header) && c.server.implicit() {
		text += " (the server does not begin with TLS: try tls = \"starttls\")"
	}
	e := c.trouble(spool.ReasonTLS, text, err)
	c.observe(Step{Stage: StageTLS, Err: e})
	return e
}

// mayStepDown reports whether the conversation may go on without verified TLS: that
// must be allowed, and for a login it must be allowed for the password too. A token
// never travels so.
func (c *Conn) mayStepDown() bool {
	return c.server.AllowNonSecure && (c.secret == "" || c.server.Tokens == nil && c.server.AllowNonSecureLogin)
}

// forbidden says why allow_non_secure did not help.
func (c *Conn) forbidden() string {
	if c.server.Tokens != nil {
		return "a token is never sent without verified TLS"
	}
	return "the password is not sent without verified TLS (allow_non_secure_login = false)"
}

func (c *Conn) stepDown(why string) {
	c.notice = c.reply(0, "", []byte(why)).Text
	c.observe(Step{Stage: StageStepDown, Detail: c.notice})
}

// describe is version, cipher and certificate for a person.
func describe(state tls.ConnectionState) string {
	cert := state.PeerCertificates[0]
	return fmt.Sprintf("%s, %s, certificate of %s by %s until %s",
		tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite),
		certName(cert), cert.Issuer, cert.NotAfter.UTC().Format("2006-01-02"))
}

func certName(cert *x509.Certificate) string {
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return cert.Subject.String()
	}
	return strings.Join(names[:min(3, len(names))], " ")
}
