package config

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What each preset sets, as the man page's table has it.
func TestPresets(t *testing.T) {
	for _, c := range []struct {
		name, more string
		want       Server
	}{
		{"gmail", `login = "library@example.org"`, Server{Host: "smtp.gmail.com", Port: 465, TLS: Implicit, RatePerDay: 2000, RecipientsPerMessage: 100}},
		{"gmail", `login = "Library@GoogleMail.com"`, Server{Host: "smtp.gmail.com", Port: 465, TLS: Implicit, RatePerDay: 500, RecipientsPerMessage: 100}},
		{"google-relay", "", Server{Host: "smtp-relay.gmail.com", Port: 587, TLS: StartTLS, RatePerDay: 10000, RecipientsPerMessage: 100}},
		{"microsoft365", "", Server{Host: "smtp.office365.com", Port: 587, TLS: StartTLS, Connections: 3, RatePerMinute: 30, RatePerDay: 10000}},
		{"ses", `host = "email-smtp.us-east-1.amazonaws.com"`, Server{Host: "email-smtp.us-east-1.amazonaws.com", Port: 587, TLS: StartTLS, RecipientsPerMessage: 50}},
		{"sendgrid", "", Server{Host: "smtp.sendgrid.net", Port: 587, TLS: StartTLS, MessagesPerConnection: 5000}},
		{"mailgun", "", Server{Host: "smtp.mailgun.org", Port: 587, TLS: StartTLS, RecipientsPerMessage: 1000}},
		{"fastmail", "", Server{Host: "smtp.fastmail.com", Port: 465, TLS: Implicit, RatePerMinute: 33, RatePerDay: 4000}},
	} {
		got := load(t, "[[server]]\npreset = \""+c.name+"\"\n"+c.more+"\n").Servers[0]
		if got.Host != c.want.Host || got.Port != c.want.Port || got.TLS != c.want.TLS || got.Preset != c.name {
			t.Errorf("%s: %+v", c.name, got)
		}
		or := func(n, normal int) int {
			if n == 0 {
				return normal
			}
			return n
		}
		if got.Connections != or(c.want.Connections, 4) || got.MessagesPerConnection != or(c.want.MessagesPerConnection, 50) || got.RatePerMinute != c.want.RatePerMinute ||
			got.RatePerDay != c.want.RatePerDay || got.RecipientsPerMessage != or(c.want.RecipientsPerMessage, 100) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// Keys of the file win, and only what comes from the preset is called so.
func TestKeysWinOverPreset(t *testing.T) {
	s := load(t, `
[[server]]
rate_per_day = 0
host = "smtp.example.net"
preset = "microsoft365"
connections = 1
`).Servers[0]
	if s.Host != "smtp.example.net" || s.RatePerDay != 0 || s.Connections != 1 || s.Port != 587 || s.RatePerMinute != 30 {
		t.Errorf("%+v", s)
	}
	if want := []string{"port = 587", "rate_per_minute = 30"}; !slices.Equal(s.FromPreset, want) {
		t.Errorf("from the preset: %q, want %q", s.FromPreset, want)
	}
	if s := load(t, oneServer+"preset = \"\"\n").Servers[0]; s.Preset != "" || s.FromPreset != nil || s.Port != 587 {
		t.Errorf("%+v", s)
	}
}

// A preset brings its limits to a server that signs in with an account; where the
// account's own server is, the account says.
func TestPresetOfAccount(t *testing.T) {
	c := load(t, `
[[server]]
preset = "gmail"
auth = "google"
[[server]]
preset = "google-relay"
auth = "google"
[[server]]
preset = "microsoft365"
auth = "microsoft"
[google]
client_id = "x"
smtp_host = "broker.example.net"
smtp_port = 2465
[microsoft]
client_id = "x"
`)
	for i, want := range []string{"broker.example.net 2465 2000", "smtp-relay.gmail.com 587 10000", "smtp.office365.com 587 10000"} {
		s := c.Servers[i]
		if got := strings.Join([]string{s.Host, strconv.Itoa(s.Port), strconv.Itoa(s.RatePerDay)}, " "); got != want {
			t.Errorf("server %d: %s, want %s", i+1, got, want)
		}
	}
}

func TestEveryPresetIsKnown(t *testing.T) {
	for _, name := range PresetNames() {
		if p := presetOf(name, ""); p == nil {
			t.Errorf("%s sets nothing", name)
		}
	}
	if p := presetOf("", ""); p != nil {
		t.Errorf("no preset sets %v", p)
	}
}
