//go:build peers

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"net/smtp"
	"os"
	"strings"
	"testing"
)

// dial speaks to a server without notices, to see that the peers are as the other
// tests need them.
func dial(t *testing.T, port int) *smtp.Client {
	t.Helper()
	pem, err := os.ReadFile(certs.ca)
	check(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client, err := smtp.Dial(address(port))
	check(t, err)
	t.Cleanup(func() { client.Close() })
	check(t, client.StartTLS(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
	return client
}

func TestPostfixIsAsNeeded(t *testing.T) {
	t.Parallel()
	p := startPostfix(t)
	client := dial(t, p.starttls)
	for _, extension := range []string{"8BITMIME", "SMTPUTF8", "PIPELINING", "SIZE"} {
		if ok, _ := client.Extension(extension); !ok {
			t.Errorf("Postfix does not offer %s", extension)
		}
	}
	check(t, client.Auth(smtp.PlainAuth("", login, password, "127.0.0.1")))
	check(t, client.Mail("library@example.org"))
	for address, want := range map[string]string{
		gone + "1@example.net": "550 5.1.1",
		busy + "1@example.net": "450 4.2.1",
	} {
		if err := client.Rcpt(address); err == nil || !strings.HasPrefix(strings.ReplaceAll(err.Error(), `"`, ""), want) {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
	check(t, client.Rcpt("patron@example.net"))
	text := "From: library@example.org\nSubject: rig\n\nTrip through Postfix, caf\xc3\xa9.\n"
	send(t, client, text)
	until(t, "the delivery", func() bool { return p.count() == 1 })
	got := p.arrived(t)[0]
	if got.String() != text || got.sender != "library@example.org" || got.recipient != "patron@example.net" {
		t.Errorf("arrived %q from %s to %s", got, got.sender, got.recipient)
	}
}

func TestPostfixRefusesAWrongPassword(t *testing.T) {
	t.Parallel()
	client := dial(t, startPostfix(t).starttls)
	err := client.Auth(smtp.PlainAuth("", login, "wrong", "127.0.0.1"))
	if err == nil || !strings.HasPrefix(err.Error(), "535 ") {
		t.Errorf("answered %v, want 535", err)
	}
}

func TestMailpitIsAsNeeded(t *testing.T) {
	t.Parallel()
	m := startMailpit(t)
	client := dial(t, m.smtp)
	if ok, _ := client.Extension("8BITMIME"); ok {
		t.Error("Mailpit offers 8BITMIME: the re-encoding is not tested any more")
	}
	check(t, client.Auth(smtp.PlainAuth("", login, password, "127.0.0.1")))
	check(t, client.Mail("library@example.org"))
	check(t, client.Rcpt("patron@example.net"))
	text := "From: library@example.org\nTo: patron@example.net\nMessage-ID: <1@example.org>\nSubject: rig\n\nTrip through Mailpit.\n"
	send(t, client, text)
	var got []mail
	until(t, "the message", func() bool { got = m.arrived(t); return len(got) == 1 })
	if got[0].String() != text {
		t.Errorf("arrived\n%s\nwant\n%s", got[0], text)
	}
}

func send(t *testing.T, client *smtp.Client, text string) {
	t.Helper()
	data, err := client.Data()
	check(t, err)
	_, err = data.Write([]byte(text))
	check(t, err)
	check(t, data.Close())
	check(t, client.Quit())
}
