package smtptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// CA signs certificates for tests.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// names are whom a certificate is for when nobody is named: what the servers of this
// package are reached by.
var names = []string{"127.0.0.1", "localhost", "mail.example.org"}

// NewCA makes a certificate authority.
func NewCA(t TB) *CA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "smtptest CA"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	return &CA{cert, key}
}

// Pool holds the CA's certificate, for clients that trust it.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// PEM is the CA's certificate as a ca_file.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// TLS is a server's configuration with a good certificate for hosts; none: for the
// names and the address that this package's servers are reached by.
func (ca *CA) TLS(t TB, hosts ...string) *tls.Config {
	t.Helper()
	return ca.config(t, hosts, time.Now().AddDate(1, 0, 0))
}

// Expired is TLS with a certificate whose time is over.
func (ca *CA) Expired(t TB) *tls.Config {
	t.Helper()
	return ca.config(t, nil, time.Now().AddDate(0, 0, -1))
}

// Odd is TLS with a certificate that change made odd.
func (ca *CA) Odd(t TB, change func(*x509.Certificate)) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	template := serverTemplate(nil, time.Now().AddDate(1, 0, 0))
	change(template)
	return chain(t, template, ca.cert, key, ca.key)
}

// NoAltName is a certificate as they were made until 2017: a common name, and no
// subject alternative name.
func (ca *CA) NoAltName(t TB) *tls.Config {
	t.Helper()
	return ca.Odd(t, func(c *x509.Certificate) {
		c.Subject.CommonName, c.DNSNames, c.IPAddresses = "127.0.0.1", nil, nil
	})
}

// SHA1 is a certificate with a signature of that kind.
func (ca *CA) SHA1(t TB) *tls.Config {
	t.Helper()
	return ca.Odd(t, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })
}

// SelfSigned is a certificate that no authority signed.
func SelfSigned(t TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	template := serverTemplate(nil, time.Now().AddDate(1, 0, 0))
	return chain(t, template, template, key, key)
}

// RSAKeyExchange is TLS 1.2 by the ciphers of an old Exchange server: no forward secrecy.
func (ca *CA) RSAKeyExchange(t TB, ciphers ...uint16) *tls.Config {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	template := serverTemplate(nil, time.Now().AddDate(1, 0, 0))
	c := chain(t, template, ca.cert, key, ca.key)
	c.CipherSuites, c.MaxVersion = ciphers, tls.VersionTLS12
	return c
}

func chain(t TB, template, parent *x509.Certificate, key, signer crypto.Signer) *tls.Config {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// Old is TLS that knows no version above 1.1.
func (ca *CA) Old(t TB) *tls.Config {
	t.Helper()
	c := ca.TLS(t)
	c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	return c
}

func (ca *CA) config(t TB, hosts []string, until time.Time) *tls.Config {
	t.Helper()
	cert, key, err := ca.sign(hosts, until)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}}
}

func (ca *CA) sign(hosts []string, until time.Time) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.CreateCertificate(rand.Reader, serverTemplate(hosts, until), ca.cert, &key.PublicKey, ca.key)
	return cert, key, err
}

// serverTemplate is a certificate for hosts; none: for names.
func serverTemplate(hosts []string, until time.Time) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "smtptest server"},
		NotBefore:    until.AddDate(-2, 0, 0),
		NotAfter:     until,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if len(hosts) == 0 {
		hosts = names
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return template
}
