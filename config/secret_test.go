package config

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"notices/config/document"
)

const withLogin = oneServer + "login = \"library\"\n"

// secretFile makes a file of that content and mode and returns a config that names it.
func secretFile(t *testing.T, content string, mode fs.FileMode) (config, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return withLogin + "password_file = " + document.Quote(path) + "\n", path
}

func TestReadSecret(t *testing.T) {
	inFile, _ := secretFile(t, "s3cret word\n", 0o600)
	windows, _ := secretFile(t, "s3cret word\r\n", 0o400)
	bare, _ := secretFile(t, "s3cret word", 0o600)
	credentials := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", credentials)
	// systemd's own file may be group readable (an ACL for the service's user).
	if err := os.WriteFile(filepath.Join(credentials, "server1.password"), []byte("s3cret word\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"password":              withLogin + "password = \"s3cret word\"\n",
		"file":                  inFile,
		"file of another world": windows,
		"file without an end":   bare,
		"command":               withLogin + "password_command = \"echo 's3cret word'; echo noise >&2\"\n",
		"credential":            withLogin,
	} {
		c := load(t, text)
		got, err := c.Servers[0].Password.Read(t.Context())
		if got != "s3cret word" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// What is wrong with a secret, word for word, without the secret.
func TestBadSecrets(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	for name, c := range map[string]struct{ text, want string }{
		"two lines": {inFileOf(t, "s3cret\nword\n"), "password_file gives more than one line; a secret is a single line"},
		"empty":     {inFileOf(t, "\n"), "password_file gives an empty secret"},
		"NUL":       {inFileOf(t, "s3cret\x00\n"), "password_file gives a secret with control characters in it"},
		"a disk":    {inFileOf(t, strings.Repeat("s3cret", 20000)), "password_file gives more than 64 KiB, which is too long for a secret"},
		"fails": {withLogin + `password_command = "echo s3cret; printf 'no such\\n\\033[31mentry' >&2; exit 3"`,
			"password_command failed (exit status 3): no such ?[31mentry"},
		"says nothing": {withLogin + `password_command = "echo s3cret; exit 3"`, "password_command failed (exit status 3)"},
		"unknown":      {withLogin + `password_command = "no-such-program"`, "no-such-program"},
		"quiet":        {withLogin + `password_command = "true"`, "password_command gives an empty secret"},
		"none": {withLogin, "[[server]] 1 password is not set, and systemd provides no credential server1.password: " +
			"add password_file, password_command or password"},
	} {
		cfg := load(t, c.text)
		got, err := cfg.Servers[0].Password.Read(t.Context())
		var e *Error
		if !errors.As(err, &e) || got != "" || e.File != cfg.Path || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.ContainsAny(err.Error(), "\n\x1b")) {
			t.Errorf("%s: shown: %q", name, err)
		}
	}
}

func inFileOf(t *testing.T, content string) string {
	text, _ := secretFile(t, content, 0o600)
	return text
}

func TestCommandShowsWhatItSaid(t *testing.T) {
	c := load(t, withLogin+"password_command = \"echo 'gpg: no key' >&2; exit 2\"\n")
	_, err := c.Servers[0].Password.Read(t.Context())
	want := c.Path + ":4: [[server]] 1 password_command failed (exit status 2): gpg: no key"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A secret that others can read is refused by flush and check, and when it is read,
// with the command that repairs it. It never keeps a message from being queued.
func TestPermissions(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o660, 0o620} {
		text, path := secretFile(t, "s3cret\n", mode)
		config := write(t, text, 0o644)
		_, err := Load(config)
		want := config + ":4: [[server]] 1 password_file names a file that others can read or change; run: chmod 600 " + path
		if err == nil || err.Error() != want {
			t.Errorf("%o: got  %v\nwant %s", mode, err, want)
		}
		c, err := LoadFor(config, Intake)
		if err != nil {
			t.Fatalf("%o: enqueue is stopped: %v", mode, err)
		}
		if _, err := c.Servers[0].Password.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("%o: read: %v", mode, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(config); err != nil {
			t.Errorf("%o: repaired: %v", mode, err)
		}
	}
}

func TestConfigWithPasswordIsPrivate(t *testing.T) {
	for _, c := range []struct {
		line string
		mode fs.FileMode
		want string
	}{
		{"password = \"31337\"", 0o600, ""},
		{"password = \"31337\"", 0o400, ""},
		{"password = \"31337\"", 0o644, "password is in a file that others can read; run: chmod 600 "},
		{"password = \"31337\"", 0o640, "password is in a file that others can read; run: chmod 600 "},
		{"password_command = \"pass show mail\"", 0o644, ""},
		{"password_command = \"pass show mail\"", 0o664, "password_command is a command in a file that others can change; run: chmod go-w "},
		{"password = \"\"", 0o664, ""},
		{"password = \"\"", 0o666, "can be changed by everybody; run: chmod o-w "},
	} {
		path := write(t, withLogin+c.line+"\n", c.mode)
		_, err := Load(path)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want+path)):
			t.Errorf("%s, %o: %v", c.line, c.mode, err)
		}
		if _, err := LoadFor(path, Intake); err != nil {
			t.Errorf("%s, %o: enqueue is stopped: %v", c.line, c.mode, err)
		}
	}
}

// The address of a database is as secret as the password that is in it. Mail cannot be queued
// without it, so that enqueue refuses it too.
func TestDatabaseWithPasswordIsPrivate(t *testing.T) {
	const inURL, inQuery, inWords = "postgres://notices:31337@db.example.org/notices", "postgres://notices@db.example.org/notices?password=31337", "host=db.example.org password = 31337"
	for _, c := range []struct {
		line    string
		mode    fs.FileMode
		refused bool
	}{
		{`database = "` + inURL + `"`, 0o600, false},
		{`database = "` + inURL + `"`, 0o640, true},
		{`database = "` + inQuery + `"`, 0o644, true},
		{`database = "` + inWords + `"`, 0o604, true},
		{`database = "postgres://notices@db.example.org/notices?sslmode=verify-full"`, 0o644, false},
		{`database = "host=db.example.org user=notices"`, 0o644, false},
		{"database = \"postgres://notices@db.example.org/notices\"\ndatabase_password = \"31337\"", 0o644, true},
	} {
		path := write(t, oneServer+"[spool]\n"+c.line+"\n", c.mode)
		for _, need := range []Need{Intake, Queue, Sending} {
			_, err := LoadFor(path, need)
			told := err != nil && strings.Contains(err.Error(), "is in a file that others can read; run: chmod 600 "+path)
			if told != c.refused || !told && err != nil || err != nil && strings.Contains(err.Error(), "31337") {
				t.Errorf("%s, %o: %v", c.line, c.mode, err)
			}
		}
	}
}

// Nothing is read or run at Load: the mail can be queued when the secret is away.
func TestLoadReadsNoSecret(t *testing.T) {
	dir := t.TempDir()
	c := load(t, withLogin+"password_command = \"echo ran >> "+dir+"/ran; echo s3cret\"\n")
	if ran, _ := os.ReadFile(dir + "/ran"); len(ran) > 0 {
		t.Fatal("the command ran at Load")
	}
	if _, err := LoadFor(write(t, withLogin+"password_file = \"/nowhere\"\n", 0o600), Intake); err != nil {
		t.Error(err)
	}
	// Connections that ask at the same time share one run.
	done := make(chan error)
	for range 4 {
		go func(s Secret) { _, err := s.Token(t.Context()); done <- err }(c.Servers[0].Password)
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if ran, _ := os.ReadFile(dir + "/ran"); string(ran) != "ran\n" {
		t.Errorf("the command ran %d times", strings.Count(string(ran), "\n"))
	}
}

// A token that a server refused is read again, once for all connections that it refused;
// so is a file, which else is read once.
func TestRefresh(t *testing.T) {
	text, path := secretFile(t, "one\n", 0o600)
	s := load(t, text).Servers[0].Password
	for _, c := range []struct{ content, stale, want string }{
		{"one\n", "", "one"}, {"two\n", "", "one"}, {"two\n", "zero", "one"}, {"two\n", "one", "two"}, {"three\n", "one", "two"}, {"", "two", ""}, {"four", "", "four"}, {"five", "two", "four"},
	} {
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Refresh(t.Context(), c.stale); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q, stale %q: %q, %v; want %q", c.content, c.stale, got, err, c.want)
		}
	}
}

// The JSON files of Google are taken whole, however many lines they have.
func TestDocument(t *testing.T) {
	const text = "{\n\t\"installed\": {}\n}"
	_, path := secretFile(t, text+"\n", 0o600)
	c := load(t, "[delivery]\nvia = \"google\"\n[google]\naccount = \"library@example.org\"\nclient_secret_file = "+document.Quote(path)+"\nservice_account_file = "+document.Quote(path)+"\n")
	for _, s := range []Secret{c.Google.ClientSecretFile, c.Google.ServiceAccountFile} {
		if got, err := s.Read(t.Context()); got != text || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestCommandEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := load(t, withLogin+"password_command = \"sleep 60\"\n").Servers[0].Password
	if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNoSecret(t *testing.T) {
	var s Secret
	if _, err := s.Read(t.Context()); err == nil || s.IsSet() {
		t.Error(err)
	}
}

// What is found when a key is used says its line, too.
func TestFaultsHaveLines(t *testing.T) {
	path := write(t, oneServer+"login = \"x\"\npassword_command = \"exit 1\"\nca_file = \"\"\n", 0o600)
	c, err := LoadFor(path, Intake)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Servers[0].Password.Read(t.Context())
	var e *Error
	if !errors.As(err, &e) || e.Line != 4 || !strings.Contains(err.Error(), path+":4: [[server]] 1 password_command failed") {
		t.Errorf("%v", err)
	}
	if err := c.Fault("server", 1, "ca_file", errors.New("is empty")); err.Error() != path+":5: [[server]] 1 ca_file is empty" {
		t.Error(err)
	}
}
