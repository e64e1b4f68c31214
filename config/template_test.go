package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"notices/config/document"
)

func TestTemplateLoads(t *testing.T) {
	c, err := Load(write(t, string(Template()), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Servers) != 1 || c.Servers[0].Host != "mail.example.org" || c.Servers[0].Login != "" {
		t.Errorf("%+v", c)
	}
}

// server is the settings of one.
func server(n int, pairs ...any) []Setting {
	var set []Setting
	for i := 0; i < len(pairs); i += 2 {
		set = append(set, Setting{Section: "server", N: n, Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return set
}

// What is set comes back out of the file as it went in, whatever is in it.
func TestTemplateTakesSettings(t *testing.T) {
	name := `The "Old" Library \ Bücherei @host@ # 'x' """`
	set := slices.Concat([]Setting{{Section: "site", Key: "name", Value: name}, {Section: "site", Key: "address", Value: "library@example.org"}, {Section: "site", Key: "hostname", Value: "notices.example.org"}},
		server(1, "host", "192.0.2.1", "port", 465, "login", `dom\user "x"`, "password_command", `echo "a#b"`, "rate_per_day", 7),
		server(2, "host", "two.example.org", "allow_non_secure", true), server(3, "preset", "fastmail"),
		[]Setting{{Section: "google", Key: "client_id", Value: "x"}, {Section: "spool", Key: "dir", Value: "/srv/a \"spool\""}, {Section: "log", Key: "to", Value: "syslog"}})
	c := load(t, string(Template(set...)))
	for _, pair := range [][2]any{
		{c.Site.Name, name}, {c.Site.Address, "library@example.org"}, {c.Site.Hostname, "notices.example.org"},
		{c.Servers[0].Host, "192.0.2.1"}, {c.Servers[0].Port, 465}, {c.Servers[0].Login, `dom\user "x"`}, {c.Servers[0].RatePerDay, 7},
		{c.Servers[0].Password.src.text, `echo "a#b"`}, {c.Servers[1].Host, "two.example.org"}, {c.Servers[1].Port, 587},
		{c.Servers[1].AllowNonSecure, true}, {c.Servers[2].Host, "smtp.fastmail.com"}, {len(c.Servers), 3},
		{c.Google.ClientID, "x"}, {c.Spool.Dir, "/srv/a \"spool\""}, {c.Log.To, "syslog"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("got %v, want %v", pair[0], pair[1])
		}
	}
}

// Of a server that is not wanted nothing holds, and with a preset no example does.
func TestTemplateWithoutExamples(t *testing.T) {
	c := load(t, string(Template(Setting{Section: "delivery", Key: "via", Value: "google"}, Setting{Section: "google", Key: "client_id", Value: "x"})))
	if len(c.Servers) != 0 || c.Site.Name != "" || c.Delivery.Via != ViaGoogle {
		t.Errorf("%+v", c)
	}
	c = load(t, string(Template(server(1, "preset", "gmail", "login", "x@example.org", "password_command", "pass")...)))
	if len(c.Servers) != 1 || c.Servers[0].Host != "smtp.gmail.com" || c.Servers[0].Port != 465 {
		t.Errorf("%+v", c.Servers)
	}
}

// Every key that is set has a line of the template, with the comment above it, and
// holds: none is lost, whatever the section.
func TestTemplateTakesEveryKey(t *testing.T) {
	lines := strings.Count(string(Template()), "\n")
	for _, key := range Keys() {
		section, name, _ := strings.Cut(key, ".")
		s := Setting{Section: section, Key: name, Value: "x"}
		if section == "limit" {
			continue
		}
		if section == "server" {
			s.N = 1
		}
		text := string(Template(s))
		doc, err := document.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got := doc[section]
		if tables, ok := got.([]table); ok {
			got = tables[0]
		}
		if held, _ := got.(table); held[name] != "x" || strings.Count(text, "\n") != lines {
			t.Errorf("%s: %v, %d lines instead of %d", key, got, strings.Count(text, "\n"), lines)
		}
	}
}

// A setting with a line break is refused when it is checked and when the file is read,
// and no key of its own.
func TestTemplateIsNotInjected(t *testing.T) {
	evil := Setting{Section: "site", Key: "name", Value: "x\"\n[spool]\ndir = \"/tmp"}
	_, err := Load(write(t, string(Template(evil, Setting{Section: "server", N: 1, Key: "host", Value: "mail.example.org"})), 0o600))
	if err == nil || !strings.Contains(err.Error(), "[site] name must not contain line breaks") {
		t.Error(err)
	}
	if err := Check(evil); err == nil || !strings.HasPrefix(err.Error(), "must not contain line breaks") {
		t.Error(err)
	}
}

func TestSettingCheck(t *testing.T) {
	for _, c := range []struct {
		s    Setting
		want string
	}{
		{Setting{Section: "site", Key: "address", Value: "library@example.org"}, ""},
		{Setting{Section: "site", Key: "address", Value: "library"}, "one e-mail address"},
		{Setting{Section: "server", N: 1, Key: "host", Value: "mail.example.org:25"}, "without a port"},
		{Setting{Section: "server", N: 2, Key: "port", Value: 70000}, "from 1 to 65535"},
		{Setting{Section: "server", N: 2, Key: "port", Value: 25}, ""},
		{Setting{Section: "server", N: 1, Key: "login", Value: "x"}, ""},
		{Setting{Section: "site", Key: "name", Value: "\xff"}, "UTF-8"},
	} {
		err := Check(c.s)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}

// Every key is in the template, and what it shows commented out is the default.
func TestTemplateShowsAllKeysAndDefaults(t *testing.T) {
	text := string(Template())
	section := ""
	shown := map[string]bool{}
	var all strings.Builder
	for l := range strings.Lines(text) {
		plain := strings.TrimPrefix(l, "# ")
		if strings.HasPrefix(plain, "[") {
			section = strings.Trim(plain, "[]\n")
			if !strings.HasPrefix(plain, "[[") {
				l = plain
			}
		}
		if key, _, ok := strings.Cut(plain, " = "); ok && !strings.Contains(key, " ") {
			shown[section+"."+key] = true
			if strings.HasPrefix(l, "# ") && !strings.Contains(plain, "example.org") && key != "port" &&
				key != "password_file" && key != "dir" && section != "limit" {
				l = plain
			}
		}
		all.WriteString(l)
	}
	for _, key := range Keys() {
		if !shown[key] {
			t.Errorf("%s is not in the template", key)
		}
	}
	a, b := load(t, text), load(t, all.String())
	b.Path = a.Path
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the template shows other defaults:\n%+v\n%+v", a, b)
	}
}
