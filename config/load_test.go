package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"notices/config/document"
)

// write puts a config into a folder of its own.
func write(t testing.TB, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notices.toml")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, text string) *Config {
	t.Helper()
	c, err := Load(write(t, text, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const oneServer = "[[server]]\nhost = \"mail.example.org\"\n"

// Every key that is built, with the value that the specification shows.
func TestAllKeys(t *testing.T) {
	path := filepath.Join("testdata", "good", "all-keys.toml")
	c, err := LoadFor(path, Intake)
	if err != nil || len(c.Problems) > 0 {
		t.Fatal(err, c.Problems)
	}
	server1, server2 := defaultServer(1), defaultServer(2)
	server1.Host, server1.TLS, server1.Login = "mail.example.org", StartTLS, "library"
	server1.Password = c.Servers[0].Password
	server2.Host, server2.Port, server2.TLS = "backup.example.org", 25, StartTLS
	want := withDefaults(path)
	want.Site = Site{Name: "Springfield Public Library", Address: "library@example.org", Hostname: "mail.example.org"}
	want.Servers = []Server{server1, server2}
	want.Limits = []Limit{{Domains: []string{"gmail.com", "googlemail.com"}, Messages: 100, Per: time.Hour}}
	want.Spool.Dir = "/var/spool/notices"
	want.Service.TLS = Implicit
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// The defaults of the specification, and values that differ from them.
func TestValues(t *testing.T) {
	path := write(t, `
[site]
name = "Bücherei 図書館"
address = "büch@example.org"
hostname = "[IPv6:2001:db8::1]"
rewrite_from = true
[[server]]
host = "2001:db8::2"
port = 465
login = ""
ca_file = "ca.pem"
connections = 1
messages_per_connection = 1
rate_per_minute = 30
rate_per_day = 2000
recipients_per_message = 1000
timeout = "1.5m"
data_timeout = "1h"
allow_non_secure = true
allow_non_secure_login = true
[[server]]
host = "mail_1.example.org."
tls = "implicit"
[[limit]]
domains = ["Example.NET", "xn--bcher-kva.example", "bücher.example", "example.net"]
messages = 1
per = "1.5h"
[retry]
short_range = "0"
short_delay = ["0", "1s"]
long_delay = ["2m", "2m"]
give_up = "4d"
warn_after = 0
[spool]
dir = "~/mail"
max_message_size = "1.5KiB"
keep_failed = "0"
keep_history = "1.5d"
[log]
to = "logs/notices.log"
`, 0o600)
	dir := filepath.Dir(path)
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	s := c.Servers[0]
	for name, pair := range map[string][2]any{
		"site":         {c.Site, Site{"Bücherei 図書館", "büch@example.org", "[IPv6:2001:db8::1]", true, ""}},
		"tls at 465":   {s.TLS, Implicit},
		"ca_file":      {s.CAFile, filepath.Join(dir, "ca.pem")},
		"counts":       {[]int{s.Connections, s.MessagesPerConnection, s.RatePerMinute, s.RatePerDay, s.RecipientsPerMessage}, []int{1, 1, 30, 2000, 1000}},
		"timeouts":     {[]time.Duration{s.Timeout, s.DataTimeout}, []time.Duration{90 * time.Second, time.Hour}},
		"non-secure":   {[]bool{s.AllowNonSecure, s.AllowNonSecureLogin}, []bool{true, true}},
		"no secret":    {s.Password.IsSet(), false},
		"tls":          {c.Servers[1].TLS, Implicit},
		"limit":        {c.Limits, []Limit{{Domains: []string{"example.net", "xn--bcher-kva.example", "bücher.example"}, Messages: 1, Per: 90 * time.Minute}}},
		"server names": {s.Name + c.Servers[1].Name, "12"},
		"retry": {c.Retry, Retry{ShortDelay: [2]time.Duration{0, time.Second},
			LongDelay: [2]time.Duration{2 * time.Minute, 2 * time.Minute}, GiveUp: 96 * time.Hour}},
		"spool": {c.Spool, Spool{Dir: filepath.Join(os.Getenv("HOME"), "mail"), MaxMessageSize: 1536, KeepHistory: 36 * time.Hour}},
		"log":   {c.Log.To, filepath.Join(dir, "logs", "notices.log")},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: got %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestAnEmptyConfigQueuesMail(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/home/library/state")
	c, err := LoadFor(write(t, "", 0o644), Intake)
	if err != nil {
		t.Fatal(err)
	}
	if c.Spool.Dir != "/home/library/state/notices/spool" || c.Site.Hostname != "" || c.Log.To != "stderr" {
		t.Errorf("%+v", c)
	}
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Msg, "no server") {
		t.Errorf("problems: %v", c.Problems)
	}
}

// The other ways to write the same in TOML.
func TestOtherSpellings(t *testing.T) {
	for name, text := range map[string]string{
		"dotted keys":    "site.name = 'Library'\nserver = [{host = 'a.example', port = 25}]\n",
		"inline tables":  "site = {name = 'Library'}\nserver = [\n  {host = 'a.example', port = 25}, # one\n]\n",
		"windows lines":  "\xef\xbb\xbf[site]\r\nname = \"Library\"\r\n[[server]]\r\nhost = \"a.example\"\r\nport = 25\r\n",
		"quoted headers": "['site']\n\"name\" = '''Library'''\n[[\"server\"]]\nhost = 'a.example'\nport = 0x19\n",
	} {
		c := load(t, text)
		if c.Site.Name != "Library" || len(c.Servers) != 1 || c.Servers[0].Host != "a.example" || c.Servers[0].Port != 25 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// The keys of a service, on either side, and the defaults of those that are not set.
func TestService(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"service.key", "dkim.key", "key.pem", "cert.pem", "ca.pem"} {
		if err := os.WriteFile(name, []byte("31337"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "notices.toml")
	if err := os.WriteFile(path, []byte(`[delivery]
via = "service"
[google]
broker = "https://submit.example.net:8443/"
[service]
host = "submit.example.net"
port = 587
ca_file = "ca.pem"
site = "springfield"
key_file = "service.key"
[serve]
listen_tls = ["[::1]:465", "submit.example.net:465"]
listen_starttls = []
listen_https = [":8443"]
cert_file = "cert.pem"
key_file = "key.pem"
address = "noreply@service.example"
messages_per_day = 0
deliver = false
[dkim]
domain = "Service.Example."
selector = "2026.north"
`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.Service.Key.Read(t.Context())
	c.Service.Key = Secret{}
	wantService, wantServe := defaultService(), defaultServe()
	wantService.Host, wantService.Port, wantService.TLS, wantService.CAFile, wantService.Site = "submit.example.net", 587, StartTLS, filepath.Join(dir, "ca.pem"), "springfield"
	wantServe.ListenTLS, wantServe.ListenSTARTTLS, wantServe.ListenHTTPS = []string{"[::1]:465", "submit.example.net:465"}, nil, []string{":8443"}
	wantServe.CertFile, wantServe.KeyFile, wantServe.Address = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), "noreply@service.example"
	wantServe.MessagesPerDay, wantServe.Deliver = 0, false
	for name, pair := range map[string][2]any{
		"key":     {key, "31337"},
		"service": {c.Service, wantService},
		"serve":   {c.Serve, wantServe},
		"dkim":    {c.DKIM, DKIM{"service.example", "2026.north", filepath.Join(dir, "dkim.key")}},
		"broker":  {c.Google.Broker, "https://submit.example.net:8443"},
		"usable":  {c.Google.Usable(), true},
	} {
		if err != nil || !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: got %v, want %v (%v)", name, pair[0], pair[1], err)
		}
	}
}

// Serve refuses a config without [serve], and nothing that is wrong elsewhere.
func TestLoadForServing(t *testing.T) {
	_, err := LoadFor(write(t, oneServer, 0o600), Serving)
	if err == nil || !strings.Contains(err.Error(), "[serve] address is not set") || !strings.Contains(err.Error(), "[serve] cert_file is not set") {
		t.Errorf("without the section: %v", err)
	}
	const serve = "[serve]\nlisten_tls = []\nlisten_starttls = []\naddress = \"noreply@service.example\"\n"
	elsewhere := "[[server]]\nhost = 1\n[google]\nx = 1\n[dkim]\ndomain = \"example.org\"\n[log]\nto = \"x\"\n"
	if _, err := LoadFor(write(t, serve+elsewhere, 0o600), Serving); err != nil {
		t.Errorf("with errors in other sections: %v", err)
	}
	for _, wrong := range []string{"[spool]\ndir = 1\n", "[retry]\ngive_up = 1\n", "[site]\nname = 1\n"} {
		if _, err := LoadFor(write(t, serve+wrong, 0o600), Serving); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

// Credentials of systemd take the place of the files of a service, unless a key names one.
func TestServiceCredentials(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"service.key", "serve.key", "dkim.key", "cert.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("31337"), 0o440); err != nil { // systemd.exec(5): the group may read it
			t.Fatal(err)
		}
	}
	text := "[delivery]\nvia = \"service\"\n[service]\nhost = \"submit.example.net\"\nsite = \"springfield\"\n" +
		"[serve]\naddress = \"noreply@service.example\"\ncert_file = " + document.Quote(filepath.Join(dir, "cert.pem")) + "\n"
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	c := load(t, text+"[dkim]\ndomain = \"example.org\"\n")
	if key, err := c.Service.Key.Read(t.Context()); err != nil || key != "31337" {
		t.Errorf("service.key: %q %v", key, err)
	}
	if c.Serve.KeyFile != filepath.Join(dir, "serve.key") || c.DKIM.KeyFile != filepath.Join(dir, "dkim.key") {
		t.Errorf("%q %q", c.Serve.KeyFile, c.DKIM.KeyFile)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	c, err := LoadFor(write(t, text, 0o600), Intake)
	if err != nil || len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Error(), "[serve] key_file is not set") {
		t.Fatal(err, c.Problems)
	}
	_, err = c.Service.Key.Read(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "[service] key_file is not set, and systemd provides no credential service.key: add key_file") {
		t.Errorf("without any: %v", err)
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	long := write(t, strings.Repeat("# long\n", MaxFile/7+1), 0o600)
	for path, want := range map[string]string{
		filepath.Join(dir, "none.toml"): "does not exist; to write one, run: notices init",
		dir:                             "is a folder",
		long:                            "is longer than 128 KiB",
	} {
		_, err := LoadFor(path, Intake)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || e.File != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, err := Load(filepath.Join(dir, "none.toml"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the system's error is lost: %v", err)
	}
}

// Brackets within brackets, as many as a file can hold, take the parser minutes and more
// than a GiB, but for checkShape.
func TestDeepNesting(t *testing.T) {
	for _, open := range []string{"[", "[\n", "{a=", "[{a=", "a."} {
		for _, size := range []int{2000, 16 << 10, MaxFile - 10} {
			text := "a = " + strings.Repeat(open, size/len(open))
			if open == "a." {
				text = strings.Repeat(`a . "a".`, size/8) + "a = 1"
			}
			if _, err := LoadFor(write(t, text, 0o600), Intake); err == nil {
				t.Errorf("%s, %d octets: accepted", open, size)
			}
		}
	}
}

func TestProblemsAreErrorsOneByOne(t *testing.T) {
	_, err := Load(write(t, "[site]\nnaem = 1\n[[server]]\nhost = \"\"\n", 0o600))
	var e *Error
	if !errors.As(err, &e) || e.Line != 2 || e.Key != "[site] naem" {
		t.Errorf("%v", err)
	}
	var all Problems
	if !errors.As(err, &all) || len(all) != 2 {
		t.Errorf("%v", err)
	}
}

func TestMissing(t *testing.T) {
	c := load(t, oneServer)
	got := c.Missing("[site] address", "test mail goes there").Error()
	if want := c.Path + ": [site] address is not set: test mail goes there"; got != want {
		t.Errorf("got %q", got)
	}
}

// What a config can hold, however it is printed, is no secret.
func TestPrintingHidesSecrets(t *testing.T) {
	c := load(t, oneServer+"login = \"library\"\npassword = \"31337\"\n")
	wrapped := struct{ inner *Config }{c}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{c, *c, c.Servers, c.Servers[0], c.Servers[0].Password, wrapped, &wrapped} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "31337") || strings.Contains(s, "3331333337") {
				t.Errorf("%s of %T shows the password", verb, v)
			}
		}
	}
}

// TestBuffer: mail that the database cannot take goes into a folder only if dir is written beside database.
// The default folder is not used for that.
func TestBuffer(t *testing.T) {
	const address = "[spool]\ndatabase = \"postgres://db.example.org/notices\"\n"
	for text, want := range map[string]bool{
		address: false, address + "dir = \"\"\n": false, address + "dir = \"/var/spool/notices\"\n": true, "[spool]\ndir = \"/var/spool/notices\"\n": false,
	} {
		c, err := Load(write(t, oneServer+text, 0o600))
		if err != nil || c.Spool.Buffer != want || c.Spool.Dir == "" {
			t.Errorf("%s%+v, %v", text, c, err)
		}
	}
}
