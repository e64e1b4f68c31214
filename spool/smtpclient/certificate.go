package smtpclient

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrFingerprint: the certificate is not the one that Server.Fingerprint names.
var ErrFingerprint = errors.New("the certificate is not the one that tls_fingerprint names")

// Fingerprint is the SHA-256 of a certificate's DER form in lower-case hex, as in
// `openssl x509 -fingerprint -sha256`, but for its colons and capitals.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// Faults is what is wrong with a server's certificate, as far as a person can act on it.
// It names all faults, while a verification ends at the first one.
type Faults struct {
	Cert       *x509.Certificate
	NotPinned  bool // not the one that Server.Fingerprint names
	NoAltName  bool // it has no subject alternative name; a common name does not count (RFC 9525)
	WrongName  bool // it is for other names
	SelfSigned bool
	SHA1       bool // signed with SHA-1 or MD5, by which signatures are forged
	Expired    bool // or not valid yet
	Unknown    bool // by an authority that is not known here
}

// CertificateFaults looks at the certificate that err is about; ok is false if err is not about one.
func CertificateFaults(err error, host string, now time.Time) (f Faults, ok bool) {
	var failed *tls.CertificateVerificationError
	if !errors.As(err, &failed) || len(failed.UnverifiedCertificates) == 0 {
		return f, false
	}
	cert := failed.UnverifiedCertificates[0]
	f.Cert = cert
	if errors.Is(err, ErrFingerprint) {
		f.NotPinned = true
		return f, true
	}
	f.NoAltName = len(cert.DNSNames)+len(cert.IPAddresses) == 0
	f.WrongName = !f.NoAltName && cert.VerifyHostname(strings.TrimSuffix(host, ".")) != nil
	f.Expired = now.Before(cert.NotBefore) || now.After(cert.NotAfter)
	f.SelfSigned = selfSigned(cert)
	for _, c := range failed.UnverifiedCertificates {
		f.SHA1 = f.SHA1 || !selfSigned(c) && forgeable(c.SignatureAlgorithm)
	}
	f.Unknown = !f.SelfSigned && !f.SHA1 && errors.As(err, new(x509.UnknownAuthorityError))
	return f, true
}

func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

func forgeable(a x509.SignatureAlgorithm) bool {
	return a == x509.SHA1WithRSA || a == x509.ECDSAWithSHA1 || a == x509.DSAWithSHA1 || a == x509.MD5WithRSA
}

// words are the faults in a few words each. Without any, x509's error says more.
func (f *Faults) words(host string, now time.Time) (words []string) {
	for _, w := range []struct {
		is   bool
		text string
	}{
		{f.NotPinned, "is not the one that tls_fingerprint names"},
		{f.NoAltName, fmt.Sprintf("has no subject alternative name, only the common name %q, which does not count", f.Cert.Subject.CommonName)},
		{f.WrongName, "is for " + certName(f.Cert) + ", not for " + host},
		{f.SelfSigned, "is self-signed"},
		{f.SHA1, "is signed with SHA-1, which is forgeable"},
		{f.Expired && now.After(f.Cert.NotAfter), "has expired on " + day(f.Cert.NotAfter)},
		{f.Expired && !now.After(f.Cert.NotAfter), "is not valid before " + day(f.Cert.NotBefore)},
	} {
		if w.is {
			words = append(words, w.text)
		}
	}
	return words
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// certificateText says why TLS failed or could not be verified.
func (c *Conn) certificateText(err error) string {
	return cmp.Or(CertificateText(err, c.server.Host, c.judge.Now()), c.judge.Loss(err))
}

// CertificateText says in a few words what is wrong with the certificate that err is about;
// "": err is not about one.
func CertificateText(err error, host string, now time.Time) string {
	f, ok := CertificateFaults(err, host, now)
	if !ok {
		return ""
	}
	if words := f.words(host, now); len(words) > 0 {
		return "the certificate " + strings.Join(words, "; it ")
	}
	return errors.Unwrap(err).Error() // without "failed to verify" in front
}
