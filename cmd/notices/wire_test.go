package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"notices/config"
	"notices/spool/smtpclient"
)

// TestServerKeys: each key of a [[server]] gets where mail is sent.
func TestServerKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notices.toml")
	text := `[[server]]
host = "mail.example.org"
port = 2525
tls = "starttls"
allow_non_secure = true
allow_non_secure_login = true
login = "library"
password = "31337"
senders = ["@north.example"]
connections = 7
messages_per_connection = 8
recipients_per_message = 9
rate_per_minute = 10
rate_per_day = 11
timeout = "12s"
data_timeout = "13s"
[[server]]
host = "backup.example.org"
tls_fingerprint = "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadFor(path, config.Sending)
	if err != nil {
		t.Fatal(err)
	}
	servers, err := newCLI().servers(cfg)
	if err != nil || len(servers) != 2 {
		t.Fatalf("%d servers, %v", len(servers), err)
	}
	s := &servers[0]
	if s.Name != "1" || s.Host != "mail.example.org" || s.Port != 2525 || s.TLS != smtpclient.TLSStart || !s.AllowNonSecure || !s.AllowNonSecureLogin {
		t.Errorf("%+v", s.Server)
	}
	if secret, err := smtpclient.FetchSecret(t.Context(), &s.Server); s.Login != "library" || secret != "31337" || err != nil {
		t.Errorf("login %q with %q, %v", s.Login, secret, err)
	}
	if s.Timeout != 12*time.Second || s.DataTimeout != 13*time.Second {
		t.Errorf("%s and %s", s.Timeout, s.DataTimeout)
	}
	if got := []int{s.Connections, s.MessagesPerConnection, s.RecipientsPerMessage, s.RatePerMinute, s.RatePerDay}; !slices.Equal(got, []int{7, 8, 9, 10, 11}) || !s.ListsSender("x@north.example") {
		t.Errorf("%v, senders %v", got, s.Senders)
	}
	if got := servers[1].Fingerprint; got != "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" {
		t.Errorf("fingerprint %q", got)
	}
}
