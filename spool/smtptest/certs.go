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
	"os"
	"path/filepath"
	"time"
)

// CA signs certificates for tests.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes a certificate authority.
func NewCA(t TB) *CA {
	t.Helper()
	ca := &CA{key: newKey(t)}
	ca.cert = &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "smtptest CA"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	cert, err := x509.ParseCertificate(ca.sign(t, ca.cert, ca.key.Public()))
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	ca.cert = cert
	return ca
}

func newKey(t TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	return key
}

func (ca *CA) sign(t TB, template *x509.Certificate, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, public, ca.key)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	return der
}

// serverTemplate is a certificate for hosts; none: for the names and the address that the
// servers of this package are reached by.
func serverTemplate(hosts ...string) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "smtptest server"},
		NotBefore:    time.Now().AddDate(-1, 0, 0),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1", "localhost", "mail.example.org"}
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
	return ca.issue(t, serverTemplate(hosts...), newKey(t))
}

// Changed is TLS with a certificate that is changed before it is signed.
func (ca *CA) Changed(t TB, change func(*x509.Certificate)) *tls.Config {
	t.Helper()
	template := serverTemplate()
	change(template)
	return ca.issue(t, template, newKey(t))
}

func (ca *CA) issue(t TB, template *x509.Certificate, key crypto.Signer) *tls.Config {
	t.Helper()
	der := ca.sign(t, template, key.Public())
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// Files writes the certificate and the key of a server's configuration to cert.pem and key.pem in
// a folder.
func Files(t TB, c *tls.Config, dir string) (cert, key string) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(c.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: c.Certificates[0].Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatalf("smtptest: %v", err)
		}
	}
	return cert, key
}

// Expired is TLS with a certificate whose time is over.
func (ca *CA) Expired(t TB) *tls.Config {
	t.Helper()
	return ca.Changed(t, func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, -1) })
}

// NoAltName is a certificate as they were made until 2017: a common name, and no
// subject alternative name.
func (ca *CA) NoAltName(t TB) *tls.Config {
	t.Helper()
	return ca.Changed(t, func(c *x509.Certificate) {
		c.Subject.CommonName, c.DNSNames, c.IPAddresses = "127.0.0.1", nil, nil
	})
}

// SHA1 is a certificate with a signature of that kind.
func (ca *CA) SHA1(t TB) *tls.Config {
	t.Helper()
	return ca.Changed(t, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })
}

// SelfSigned is a certificate that no authority signed.
func SelfSigned(t TB) *tls.Config {
	t.Helper()
	key, template := newKey(t), serverTemplate()
	return (&CA{template, key}).issue(t, template, key)
}

// RSAKeyExchange is TLS 1.2 by the ciphers of an old Exchange server: no forward secrecy.
func (ca *CA) RSAKeyExchange(t TB, ciphers ...uint16) *tls.Config {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	c := ca.issue(t, serverTemplate(), key)
	c.CipherSuites, c.MaxVersion = ciphers, tls.VersionTLS12
	return c
}

// Old is TLS that knows no version above 1.1.
func (ca *CA) Old(t TB) *tls.Config {
	t.Helper()
	c := ca.TLS(t)
	c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	return c
}
