package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// touch makes an empty file and its folders.
func touch(t *testing.T, parts ...string) string {
	t.Helper()
	path := filepath.Join(parts...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindInOrder(t *testing.T) {
	home, xdg := t.TempDir(), t.TempDir()
	inHome := touch(t, home, ".config", "notices", "notices.toml")
	inXDG := touch(t, xdg, "notices", "notices.toml")
	for name, c := range map[string]struct {
		flag   string
		getenv func(string) string
		want   string
	}{
		"the flag":        {"/no/such.toml", env("NOTICES_CONFIG", "/other.toml", "HOME", home), "/no/such.toml"},
		"the variable":    {"", env("NOTICES_CONFIG", "/other.toml", "XDG_CONFIG_HOME", xdg, "HOME", home), "/other.toml"},
		"XDG_CONFIG_HOME": {"", env("XDG_CONFIG_HOME", xdg, "HOME", home), inXDG},
		"home":            {"", env("HOME", home), inHome},
		"a relative XDG":  {"", env("XDG_CONFIG_HOME", "conf", "HOME", home), inHome},
	} {
		if got, err := Find(c.flag, c.getenv); got != c.want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A config that is there and cannot be looked at is the one that was meant.
func TestFindStopsAtTrouble(t *testing.T) {
	home := t.TempDir()
	touch(t, home, ".config") // a file where a folder should be
	got, err := Find("", env("HOME", home))
	if want := filepath.Join(home, ".config", "notices", "notices.toml"); got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFindNothing(t *testing.T) {
	home := t.TempDir()
	systemFile(t, filepath.Join(home, "etc", "notices.toml")) // this machine may have one
	_, err := Find("", env("HOME", home))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want := "no config file: looked for " + home + "/.config/notices/notices.toml and " + SystemFile + "; to write one, run: notices init"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if _, err := Find("", env()); err == nil || strings.Contains(err.Error(), " and ") {
		t.Errorf("without a home: %v", err)
	}
}

// Without one of the user's own it is the system's.
func TestFindTheSystems(t *testing.T) {
	home := t.TempDir()
	systemFile(t, touch(t, home, "etc", "notices.toml"))
	if got, err := Find("", env("HOME", home)); got != SystemFile || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// systemFile has the system's config elsewhere until the test ends.
func systemFile(t *testing.T, path string) {
	t.Helper()
	was := SystemFile
	SystemFile = path
	t.Cleanup(func() { SystemFile = was })
}

func TestDefaultSpool(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		getenv func(string) string
		want   string
	}{
		"the system's":      {"/etc/notices/notices.toml", env("XDG_STATE_HOME", "/s", "HOME", "/h"), "/var/spool/notices"},
		"with more slashes": {"/etc//notices/./notices.toml", env(), "/var/spool/notices"},
		"another":           {"/etc/notices/other.toml", env("HOME", "/h"), "/h/.local/state/notices/spool"},
		"XDG_STATE_HOME":    {"notices.toml", env("XDG_STATE_HOME", "/s", "HOME", "/h"), "/s/notices/spool"},
		"a relative one":    {"notices.toml", env("XDG_STATE_HOME", "s", "HOME", "/h"), "/h/.local/state/notices/spool"},
		"nothing":           {"notices.toml", env(), ""},
	} {
		got, err := defaultSpool(c.path, c.getenv)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// Without a home there is no place for the spool, and enqueue must say so.
func TestNoPlaceForTheSpool(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_STATE_HOME", "")
	_, err := LoadFor(write(t, "", 0o600), Intake)
	if err == nil || !strings.Contains(err.Error(), "[spool] dir is not set, and $HOME is not set either") {
		t.Error(err)
	}
}

func TestRelativePathsStartAtTheConfig(t *testing.T) {
	path := write(t, "[spool]\ndir = \"spool\"\n"+oneServer, 0o600)
	t.Chdir(filepath.Dir(path))
	if err := os.Mkdir("elsewhere", 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir("elsewhere")
	c, err := Load("../notices.toml")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(path), "spool"); c.Spool.Dir != want {
		t.Errorf("%s, want %s", c.Spool.Dir, want)
	}
}
