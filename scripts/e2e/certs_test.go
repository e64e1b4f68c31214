//go:build peers

package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"notices/spool/smtptest"
)

// certs are the files of a private CA and of the certificate that all servers show.
var certs struct{ ca, cert, key string }

// orPanic stands in for a test before there is one.
type orPanic struct{ smtptest.TB }

func (orPanic) Helper() {}

func (orPanic) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func writeCertificates(dir string) error {
	ca := smtptest.NewCA(orPanic{})
	pair := ca.TLS(orPanic{}).Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return err
	}
	certs.ca, certs.cert, certs.key = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, text := range map[string][]byte{
		certs.ca:   ca.PEM(),
		certs.cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}),
		certs.key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
