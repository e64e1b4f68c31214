package smtpclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"notices/spool"
	"notices/spool/smtpreply"
)

// implicit reports whether TLS begins with the first byte.
func (s *Server) implicit() bool {
	return s.TLS == TLSImplicit || s.TLS != TLSStart && s.Port == 465
}

// beginTLS does the TLS handshake, with TLS 1.2 at least. Where a step down is allowed, a certificate
// that cannot be verified does not end it.
func (c *Conn) beginTLS() error {
	config := &tls.Config{ServerName: strings.TrimSuffix(c.server.Host, "."), RootCAs: c.server.Roots, MinVersion: tls.VersionTLS12}
	if c.oldCiphers {
		config.CipherSuites = allCiphers()
	}
	lenient := c.level != verified
	var unverified error
	if lenient || c.server.Fingerprint != "" {
		config.InsecureSkipVerify = true // VerifyConnection verifies
		config.VerifyConnection = func(state tls.ConnectionState) error {
			err := c.server.verify(state, config.ServerName)
			if lenient {
				unverified, err = err, nil
			}
			return err
		}
	}
	tc := tls.Client(c.wire.raw, config)
	c.wire.deadlines.set(c.wire.raw.SetDeadline, c.wire.timeout)
	if err := c.wire.deadlines.explain(tc.Handshake()); err != nil {
		return c.tlsTrouble(err)
	}
	c.wire.use(tc)
	state := tc.ConnectionState()
	cert := state.PeerCertificates[0]
	step := Step{Stage: smtpreply.StageTLS, TLS: &state, Detail: fmt.Sprintf("%s, %s, certificate of %s by %s until %s",
		tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), certName(cert), cert.Issuer, day(cert.NotAfter))}
	if unverified != nil {
		step.Err = c.judge.trouble(spool.ReasonTLS, c.certificateText(unverified), unverified)
	}
	c.judge.observe(step)
	if unverified != nil {
		c.stepDown("unverified TLS: " + step.Err.Error())
	}
	weak := func(s *tls.CipherSuite) bool { return s.ID == state.CipherSuite }
	if c.oldCiphers && slices.ContainsFunc(tls.InsecureCipherSuites(), weak) {
		c.stepDown("old TLS cipher: the server has nothing better than " + tls.CipherSuiteName(state.CipherSuite) + "; whoever runs it should bring it up to date")
	}
	return nil
}

// verify is what crypto/tls does without InsecureSkipVerify, or compares with the one
// certificate that is accepted.
func (s *Server) verify(state tls.ConnectionState, host string) error {
	leaf := state.PeerCertificates[0]
	var err error
	if s.Fingerprint != "" {
		if Fingerprint(leaf) == s.Fingerprint {
			return nil
		}
		err = ErrFingerprint
	} else {
		intermediates := x509.NewCertPool()
		for _, cert := range state.PeerCertificates[1:] {
			intermediates.AddCert(cert)
		}
		_, err = leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: s.Roots, Intermediates: intermediates})
	}
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// allCiphers are the ciphers that Go offers by default, and the ones that it leaves out because
// they lack forward secrecy or use CBC. Old Exchange servers have nothing else. RC4 and 3DES
// are broken and stay out.
func allCiphers() []uint16 {
	var ids []uint16
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !strings.Contains(suite.Name, "RC4") && !strings.Contains(suite.Name, "3DES") {
			ids = append(ids, suite.ID)
		}
	}
	return ids
}

// wantsOldCiphers reports whether the handshake may have failed because the two sides have no
// cipher in common: alerts 40 and 71 (RFC 5246 7.2.2), or a hang-up, as Windows does.
func wantsOldCiphers(err error) bool {
	var e *Error
	if !errors.As(err, &e) || !e.duringTLS {
		return false
	}
	text := e.Err.Error()
	return strings.Contains(text, "tls: handshake failure") || strings.Contains(text, "tls: insufficient security level") ||
		errors.Is(e.Err, io.EOF) || errors.Is(e.Err, io.ErrUnexpectedEOF) || errors.Is(e.Err, syscall.ECONNRESET)
}

func (c *Conn) tlsTrouble(err error) *Error {
	text := "no TLS: " + c.certificateText(err)
	var header tls.RecordHeaderError
	if errors.As(err, &header) && c.server.implicit() {
		text += " (the server does not begin with TLS: try tls = \"starttls\")"
	}
	e := c.judge.trouble(spool.ReasonTLS, text, err)
	e.duringTLS = true
	return c.judge.failed(smtpreply.StageTLS, e)
}

// mayStepDown reports whether the conversation may go on without verified TLS. That must be
// allowed, and with a login it must be allowed for the password, too. A token is never sent so.
func (c *Conn) mayStepDown() bool {
	return c.server.AllowNonSecure && (c.secret == "" || c.server.Tokens == nil && c.server.AllowNonSecureLogin)
}

func (c *Conn) stepDown(why string) {
	why = c.judge.Reply(0, "", []byte(why)).Text
	if c.notice != "" {
		c.notice += "; "
	}
	c.notice += why
	c.judge.observe(Step{Stage: smtpreply.StageStepDown, Detail: why})
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
