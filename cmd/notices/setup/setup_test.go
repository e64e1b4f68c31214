package setup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
	"notices/config"
)

// Who sets up a machine without a full name is told, in whatever way it is set up.
func TestInitNamesTheHostname(t *testing.T) {
	from := filepath.Join(t.TempDir(), "ssmtp.conf")
	if err := os.WriteFile(from, []byte("mailhub=mail.example.org\nhostname=vm\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Template: true}, {From: from}} {
		w := fakesite.New(t)
		w.Program.Host = app.Host{}
		o.Path = filepath.Join(t.TempDir(), "notices.toml")
		if err := Run(t.Context(), w.Program, o); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(w.Said.String(), "set hostname in [site]") {
			t.Errorf("%+v says %s", o, w.Said.String())
		}
		if text, err := os.ReadFile(o.Path); err != nil || strings.Contains(string(text), "\nhostname = ") {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

// Every preset can be chosen.
func TestWaysHavePresets(t *testing.T) {
	for _, name := range config.PresetNames() {
		if !slices.ContainsFunc(serverKinds(), func(w serverKind) bool { return w.preset == name || w.auth != "" && name == "microsoft365" }) {
			t.Errorf("init does not offer %s", name)
		}
	}
}

// The program that is told is the one that was called, not the full program behind it.
func TestProgramPath(t *testing.T) {
	dir := t.TempDir()
	small := filepath.Join(dir, "notices")
	if err := os.WriteFile(small, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	called := os.Args[0]
	defer func() { os.Args[0] = called }()
	t.Chdir(dir)
	t.Setenv("PATH", dir)
	for _, name := range []string{small, "./notices", "notices"} {
		if os.Args[0] = name; programPath() != small {
			t.Errorf("called as %s: %s, want %s", name, programPath(), small)
		}
	}
}

func TestInitPath(t *testing.T) {
	cases := []struct {
		name string
		env  map[string]string
		flag string
		root bool
		want string
	}{
		{"said", map[string]string{"NOTICES_CONFIG": "/x"}, "/said", true, "/said"},
		{"environment", map[string]string{"NOTICES_CONFIG": "/x", "HOME": "/home/me"}, "", false, "/x"},
		{"a user", map[string]string{"HOME": "/home/me"}, "", false, "/home/me/.config/notices/notices.toml"},
		{"a user with XDG", map[string]string{"HOME": "/home/me", "XDG_CONFIG_HOME": "/cfg"}, "", false, "/cfg/notices/notices.toml"},
		{"root", map[string]string{"HOME": "/root"}, "", true, config.SystemFile},
		{"root by sudo", map[string]string{"HOME": "/home/me", "SUDO_USER": "me"}, "", true, config.SystemFile},
		{"root with a home that sudo kept", map[string]string{"HOME": "/tmp/x"}, "", true, config.SystemFile},
		{"root with XDG", map[string]string{"HOME": "/root", "XDG_CONFIG_HOME": "/cfg"}, "", true, "/cfg/notices/notices.toml"},
		{"nobody", nil, "", false, config.SystemFile},
	}
	for _, c := range cases {
		p := &app.Program{Config: c.flag, Getenv: func(key string) string { return c.env[key] }}
		if got := Path(p, c.root); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
