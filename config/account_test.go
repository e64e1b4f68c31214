package config

import (
	"os"
	"path/filepath"
	"testing"
)

// A server of an account needs no host, and no login: the account's hold.
func TestServerOfAnAccount(t *testing.T) {
	c := load(t, `
[[server]]
auth = "google"
[[server]]
auth = "microsoft"
port = 2525
login = "shared@school.example"
[[server]]
host = "smtp-relay.gmail.com"
auth = "google"
port = 587
[google]
client_id = "a"
[microsoft]
client_id = "b"
tenant = "school.example"
smtp_host = "outlook.office365.com"
`)
	want := []struct {
		host, tls string
		port      int
	}{{"smtp.gmail.com", Implicit, 465}, {"outlook.office365.com", StartTLS, 2525}, {"smtp-relay.gmail.com", StartTLS, 587}}
	for i, w := range want {
		if s := c.Servers[i]; s.Host != w.host || s.TLS != w.tls || s.Port != w.port || s.Password.IsSet() {
			t.Errorf("%+v, want %+v", s, w)
		}
	}
	if c.Account(AuthMicrosoft).Tenant != "school.example" || c.Account(AuthGoogle).ClientID != "a" {
		t.Errorf("%+v %+v", c.Google, c.Microsoft)
	}
}

// A site that sends through Google needs no server of its own.
func TestViaNeedsNoServer(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "client.json")
	if err := os.WriteFile(secret, []byte(`{"installed":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"[delivery]\nvia = \"google\"\n[google]\nclient_id = \"a\"\n",
		"[delivery]\nvia = \"google\"\n[google]\nclient_secret_file = \"" + secret + "\"\n",
		"[delivery]\nvia = \"google\"\n[google]\nservice_account_file = \"" + secret + "\"\naccount = \"library@example.org\"\n",
		"[delivery]\nvia = \"microsoft\"\n[microsoft]\nclient_id = \"a\"\n",
		"[delivery]\nvia = \"google\"\n[google]\nclient_id = \"a\"\ntoken_url = \"http://127.0.0.1:8080/token\"\nauth_url = \"https://broker.example.net/\"\n",
	} {
		if c := load(t, text); !c.Account(c.Delivery.Via).Usable() || len(c.Servers) != 0 {
			t.Errorf("%s: %+v", text, c)
		}
	}
}

// A mistake in [google] stops flush and not enqueue.
func TestGoogleDoesNotStopEnqueue(t *testing.T) {
	path := write(t, "[delivery]\nvia = \"google\"\n[google]\nclient_secret_file = \"/nowhere\"\ntoken_url = 7\ncolour = \"blue\"\n", 0o600)
	if _, err := LoadFor(path, Intake); err != nil {
		t.Error(err)
	}
	if _, err := Load(path); err == nil {
		t.Error("flush takes it")
	}
}
