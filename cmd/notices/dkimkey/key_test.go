package dkimkey

import (
	"os"
	"path/filepath"
	"testing"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool/dkim"
	"notices/spool/route"
)

// TestUse: all servers sign but a service, which signs itself and needs no key here; and no server
// is used without the key.
func TestUse(t *testing.T) {
	cfg := &config.Config{Path: "notices.toml"}
	cfg.DKIM.Domain, cfg.DKIM.Selector, cfg.DKIM.KeyFile = "library.example", "notices", filepath.Join(t.TempDir(), "dkim.key")
	servers := make([]route.Server, 2)
	servers[0].Name, servers[1].Name = "1", config.ViaService
	if err := Use(cfg, servers); err == nil {
		t.Error("mail goes out unsigned without the key")
	}
	if err := Use(cfg, servers[1:]); err != nil {
		t.Errorf("the key is asked for, and only a service is used: %v", err)
	}
	key, err := dkim.NewEd25519()
	if err != nil {
		t.Fatal(err)
	}
	text, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.DKIM.KeyFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Use(cfg, servers); err != nil || servers[0].Sign == nil || servers[1].Sign != nil {
		t.Errorf("%v; server 1 signs: %v, the service: %v", err, servers[0].Sign != nil, servers[1].Sign != nil)
	}
}

// TestMakeFile: the key is made whole, and does not replace a file that exists.
func TestMakeFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "dkim.key")
	ed := Options{Type: "ed25519"}
	if err := makeFile(path, ed, nil); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if _, e := dkim.ParseKey(first); err != nil || e != nil {
		t.Fatal(err, e)
	}
	if err := makeFile(path, ed, nil); app.ExitCode(err) != app.ExitCannotMake {
		t.Errorf("a second time: %v", err)
	}
	if again, err := os.ReadFile(path); err != nil || string(again) != string(first) {
		t.Errorf("the key that was there is gone: %v", err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
