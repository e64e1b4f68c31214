package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"notices/cmd/internal/app"
)

// TestCheckRemarks: what is no mistake in the file and yet will cost mail is not "in order".
func TestCheckRemarks(t *testing.T) {
	const server = "[[server]]\nhost = \"127.0.0.1\"\n[spool]\ndir = \"spool\"\n"
	for name, c := range map[string]struct{ config, kernel, verdict, says string }{
		"all is there":         {"[site]\naddress = \"library@example.org\"\n" + server, "vm.example.org", "is in order", ""},
		"no full name":         {"[site]\naddress = \"library@example.org\"\n" + server, "vm", "", "[site] hostname is not set"},
		"a name in the config": {"[site]\naddress = \"library@example.org\"\nhostname = \"mail.example.org\"\n" + server, "vm", "is in order", ""},
		"no address":           {"[site]\n" + server, "vm.example.org", "", "[site] address is not set"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "notices.toml")
		if err := os.WriteFile(path, []byte(c.config), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr strings.Builder
		a := newCLI()
		a.Config, a.Stdout, a.Stderr = path, &stdout, &stderr
		a.Host = app.Host{Kernel: func() (string, error) { return c.kernel, nil }}
		if err := (&checker{a: a}).run(context.Background()); err != nil {
			t.Errorf("%s: %v, %s", name, err, stderr.String())
		}
		if strings.Contains(stdout.String(), "is in order") != (c.verdict != "") || !strings.Contains(stderr.String(), c.says) || c.says == "" && stderr.Len() > 0 {
			t.Errorf("%s: %q and %q", name, stdout.String(), stderr.String())
		}
	}
}
