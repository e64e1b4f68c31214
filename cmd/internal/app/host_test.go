package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"notices/config"
)

// TestFullName: what this machine is called, from whatever knows it.
func TestFullName(t *testing.T) {
	const hosts = "127.0.0.1 localhost\n127.0.1.1 VM.example.org vm # the machine\n192.0.2.1 other.example.org other\n127.0.1.1 desk desk.example.org\n::1 plain\n"
	for name, c := range map[string]struct {
		kernel, mailname, canonical string
		want, quick                 string
	}{
		"the kernel knows":          {"vm.example.net", "mail.example.org\n", "x.example.org.", "vm.example.net", "vm.example.net"},
		"/etc/hosts":                {"vm", "mail.example.org\n", "x.example.org.", "VM.example.org", "VM.example.org"},
		"/etc/hosts, another order": {"desk", "", "", "desk.example.org", "desk.example.org"},
		"DNS":                       {"away", "mail.example.org\n", "away.example.org.", "away.example.org", "mail.example.org"},
		"/etc/mailname":             {"away", "\nmail.example.org\n", "", "mail.example.org", "mail.example.org"},
		"a resolver without more":   {"plain", "", "plain.", "", ""},
		"nothing":                   {"away", "", "", "", ""},
		"no name at all":            {"", "", "x.example.org.", "", ""},
		"localhost":                 {"localhost.localdomain", "localhost\n", "localhost.localdomain.", "", ""},
		"no host name":              {"a b.c", "x>y.example.org\n", "", "", ""},
	} {
		dir := t.TempDir()
		h := Host{
			Kernel: func() (string, error) { return c.kernel, nil },
			Hosts:  filepath.Join(dir, "hosts"), Mailname: filepath.Join(dir, "mailname"),
			Canonical: func(ctx context.Context, asked string) (string, error) {
				if _, ok := ctx.Deadline(); !ok || asked != c.kernel {
					t.Errorf("%s: asked for %q without an end", name, asked)
				}
				if c.canonical == "" {
					return "", errors.New("no such host")
				}
				return c.canonical, nil
			},
		}
		for path, text := range map[string]string{h.Hosts: hosts, h.Mailname: c.mailname} {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := h.FullName(true); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		h.Canonical = func(context.Context, string) (string, error) {
			t.Errorf("%s: an enqueue asks the resolver", name)
			return "", nil
		}
		if got := h.FullName(false); got != c.quick {
			t.Errorf("%s: %q without the resolver, want %q", name, got, c.quick)
		}
	}
}

// TestFindHostname: the config wins, and nothing is looked up for it.
func TestFindHostname(t *testing.T) {
	p := &Program{Host: Host{Kernel: func() (string, error) { t.Error("the kernel is asked"); return "", nil }}}
	cfg := &config.Config{Site: config.Site{Hostname: "mail.example.org"}}
	if got := p.FindHostname(cfg, true)(); got != "mail.example.org" {
		t.Errorf("%q", got)
	}
	if got := new(Program).FindHostname(&config.Config{}, true)(); got != "" {
		t.Errorf("nobody knows: %q", got)
	}
}
