package smtpclient

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"notices/spool/smtptest"
)

func leaf(t *testing.T, c *tls.Config) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(c.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// What is wrong with a certificate is said by name, all of it at once.
func TestCertificateFaults(t *testing.T) {
	ca := smtptest.NewCA(t)
	both := ca.Changed(t, func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses, c.SignatureAlgorithm, c.NotAfter = nil, nil, x509.ECDSAWithSHA1, c.NotBefore.AddDate(1, 0, 0)
	})
	for name, c := range map[string]struct {
		config *tls.Config
		want   []string
	}{
		"no alternative name": {ca.NoAltName(t), []string{"has no subject alternative name", `common name "127.0.0.1"`}},
		"SHA-1":               {ca.SHA1(t), []string{"is signed with SHA-1"}},
		"self-signed":         {smtptest.SelfSigned(t), []string{"is self-signed"}},
		"other name":          {ca.TLS(t, "mail.example.net"), []string{"is for mail.example.net, not for 127.0.0.1"}},
		"expired":             {ca.Expired(t), []string{"has expired on "}},
		"several":             {both, []string{"no subject alternative name", "SHA-1", "expired on"}},
		"unknown CA":          {smtptest.NewCA(t).TLS(t), []string{"unknown authority"}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := smtptest.New(t, smtptest.Options{TLS: c.config})
			s, _ := watched(srv)
			s.Roots = ca.Pool()
			_, err := Open(t.Context(), s)
			e := wantError(t, err, "deferred server tls 0")
			for _, want := range c.want {
				if !strings.Contains(e.Error(), want) {
					t.Errorf("%v does not say %q", e, want)
				}
			}
			if strings.Contains(e.Error(), "for 127.0.0.1, not for 127.0.0.1") {
				t.Error(e)
			}
		})
	}
}

// One certificate is accepted, whatever else is wrong with it, and no other one, however
// good it is.
func TestFingerprint(t *testing.T) {
	ca := smtptest.NewCA(t)
	for name, config := range map[string]*tls.Config{
		"good": ca.TLS(t), "no alternative name": ca.NoAltName(t), "SHA-1": ca.SHA1(t), "self-signed": smtptest.SelfSigned(t), "expired": ca.Expired(t),
	} {
		for _, right := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				srv := smtptest.New(t, smtptest.Options{TLS: config, Users: map[string]string{"library": "hunter2"}})
				s, _ := watched(srv)
				s.Roots, s.Login, s.Password, s.Fingerprint = ca.Pool(), "library", password("hunter2"), Fingerprint(leaf(t, config))
				if !right {
					s.Fingerprint = strings.Repeat("ab", 32)
				}
				c, err := Open(t.Context(), s)
				if !right {
					e := wantError(t, err, "deferred server tls 0")
					if !strings.Contains(e.Error(), "tls_fingerprint") || srv.Counts().Logins > 0 {
						t.Errorf("%v, %+v", e, srv.Counts())
					}
					return
				}
				if err != nil || c.Notice() != "" {
					t.Fatalf("%v, notice %q", err, c.Notice())
				}
				c.Quit()
			})
		}
	}
}

// A server that knows only what Go leaves out is spoken to by that, and it is told; one
// that knows only what is broken is not.
func TestOldCiphers(t *testing.T) {
	ca := smtptest.NewCA(t)
	for _, id := range []uint16{
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	} {
		for _, implicit := range []bool{true, false} {
			t.Run(tls.CipherSuiteName(id), func(t *testing.T) {
				srv := smtptest.New(t, smtptest.Options{TLS: ca.RSAKeyExchange(t, id), Implicit: implicit, Users: map[string]string{"library": "hunter2"}})
				s, steps := watched(srv)
				s.Roots, s.Login, s.Password = ca.Pool(), "library", password("hunter2")
				if implicit {
					s.TLS = TLSImplicit
				}
				c := open(t, s)
				wantOutcomes(t, deliver(t, c, message(hello)), "delivered 250")
				if !strings.HasPrefix(c.Notice(), "old TLS cipher: ") || !strings.Contains(c.Notice(), tls.CipherSuiteName(id)) {
					t.Errorf("notice %q", c.Notice())
				}
				if got := stages(*steps); strings.Count(got, "tls!") != 1 || !strings.Contains(got, "step down") {
					t.Errorf("steps %q", got)
				}
			})
		}
	}
	for _, id := range []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA} {
		t.Run(tls.CipherSuiteName(id), func(t *testing.T) {
			srv := smtptest.New(t, smtptest.Options{TLS: ca.RSAKeyExchange(t, id)})
			s, _ := watched(srv)
			s.Roots = ca.Pool()
			_, err := Open(t.Context(), s)
			wantError(t, err, "deferred server tls 0")
			if n := srv.Counts().Connections; n != 2 {
				t.Errorf("%d connections", n)
			}
		})
	}
}
