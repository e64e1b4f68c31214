package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestTemplateLoads(t *testing.T) {
	c, err := Load(write(t, string(Template(Answers{})), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Servers) != 1 || c.Servers[0].Host != "mail.example.org" || c.Servers[0].Login != "" {
		t.Errorf("%+v", c)
	}
}

// Answers come back out of the file as they went in, whatever is in them.
func TestTemplateTakesAnswers(t *testing.T) {
	a := Answers{
		Name: `The "Old" Library \ Bücherei @host@ # 'x' """`, Address: "library@example.org", Hostname: "notices.example.org",
		Host: "192.0.2.1", Port: 465, Login: `dom\user "x"`, PasswordFile: "", SpoolDir: "/srv/a \"spool\"",
	}
	c := load(t, string(Template(a)))
	got := Answers{
		Name: c.Site.Name, Address: c.Site.Address, Hostname: c.Site.Hostname, Host: c.Servers[0].Host, Port: c.Servers[0].Port,
		Login: c.Servers[0].Login, SpoolDir: c.Spool.Dir,
	}
	if got != a {
		t.Errorf("got  %+v\nwant %+v", got, a)
	}
	a.PasswordFile = "/nowhere/password"
	_, err := Load(write(t, string(Template(a)), 0o600))
	if err == nil || !strings.HasSuffix(err.Error(), "password_file names a file that is not there: /nowhere/password") {
		t.Error(err)
	}
}

// An answer with a line break is refused when the file is read, and no key of its own.
func TestTemplateIsNotInjected(t *testing.T) {
	_, err := Load(write(t, string(Template(Answers{Name: "x\"\n[spool]\ndir = \"/tmp"})), 0o600))
	if err == nil || !strings.Contains(err.Error(), "[site] name must not contain line breaks") {
		t.Error(err)
	}
}

// Every key is in the template, and what it shows commented out is the default.
func TestTemplateShowsAllKeysAndDefaults(t *testing.T) {
	text := string(Template(Answers{}))
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
				key != "password_file" && key != "dir" {
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
