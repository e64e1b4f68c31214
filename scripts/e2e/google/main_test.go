//go:build peers

package google

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"notices/spool/smtptest"
)

// What all tests share. They run one after another: what the provider was asked is
// counted.
var (
	root   string // of the repository
	work   string // temporary folder
	binary string // the real notices
	op     *provider
	peer   *dovecot
)

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) (code int) {
	defer stopAll()
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e/google:", err)
		return 1
	}
	return m.Run()
}

func prepare() (err error) {
	if os.Getuid() != 0 {
		return fmt.Errorf("these tests start Dovecot, which needs root")
	}
	if root, err = filepath.Abs("../../.."); err != nil {
		return err
	}
	if work, err = os.MkdirTemp("/tmp", "notices-google-"); err != nil {
		return err
	}
	atEnd(func() { os.RemoveAll(work) })
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	if err := writeCertificates(); err != nil {
		return err
	}
	binary = filepath.Join(work, "notices")
	if out, err := exec.Command(filepath.Join(root, "scripts/build"), binary).CombinedOutput(); err != nil {
		return fmt.Errorf("scripts/build: %w\n%s", err, out)
	}
	if op, err = startProvider(); err != nil {
		return err
	}
	if peer, err = startDovecot(); err != nil {
		return err
	}
	return startBrowser()
}

func file(name string) string { return filepath.Join(work, name) }

// orPanic stands in for a test before there is one.
type orPanic struct{ smtptest.TB }

func (orPanic) Helper() {}

func (orPanic) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func writeCertificates() error {
	ca := smtptest.NewCA(orPanic{})
	pair := ca.TLS(orPanic{}).Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"ca.pem":   ca.PEM(),
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	} {
		// Dovecot's processes, which are not root's, read the CA.
		if err := os.WriteFile(file(name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
