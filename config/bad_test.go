package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the .txt files of testdata/bad anew; read them before committing")

// Each file of testdata/bad makes one mistake (many.toml: four). The .txt beside it
// has the exact words for a person and says whether enqueue is stopped too.
func TestBadConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) < 50 {
		t.Fatalf("found %d bad configs, %v", len(files), err)
	}
	dir, err := filepath.Abs("testdata/bad")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := verdict(t, data)
			txt := filepath.Join(dir, name+".txt")
			if *update {
				if err := os.WriteFile(txt, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(txt)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

// missesServe reports whether the error is only that there is no [serve].
func missesServe(err error) bool {
	only := true
	for line := range strings.Lines(err.Error()) {
		only = only && strings.HasPrefix(line, "notices.toml: [serve] ")
	}
	return only
}

// verdict is what check says of a config, and which commands it stops.
func verdict(t *testing.T, data []byte) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", "/home/library")
	t.Setenv("XDG_STATE_HOME", "")
	if err := os.WriteFile("notices.toml", data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, flush := Load("notices.toml")
	if flush == nil {
		t.Fatal("accepted")
	}
	stops := "flush"
	if _, err := LoadFor("notices.toml", Sending); err == nil {
		stops = "read-bounces"
		if _, err := LoadFor("notices.toml", Returns); err == nil {
			t.Error("read-bounces is not stopped")
		}
	}
	if _, err := LoadFor("notices.toml", Serving); err != nil && !missesServe(err) {
		stops += " and serve"
	}
	_, enqueue := LoadFor("notices.toml", Intake)
	if enqueue != nil {
		stops = "flush and enqueue"
	}
	said := strings.ReplaceAll(flush.Error(), dir, "DIR") // its random digits may be those of a secret
	for _, secret := range []string{"31337", "hunter", "2031"} {
		if strings.Contains(said, secret) {
			t.Errorf("the error shows a secret: %s", said)
		}
	}
	return "stops " + stops + "\n" + said + "\n"
}
