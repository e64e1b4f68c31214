package document

import (
	"errors"
	"strings"
	"testing"
)

const edited = `# our own words
[site]
name = "Springfield" # the town
address = 'library@example.org'   # asked for on Monday

# never touch this
[[server]] # Server 1
host = "mail.example.org"
senders_note = ["a",
  "b"]
login = "x#y" # who
[retry]
give_up = "50h"
[[server]]
host = "two.example.org"`

// Only what is set or removed changes: comments and other keys stay where they were.
func TestEdit(t *testing.T) {
	got, err := Edit([]byte(edited), []Setting{
		{"site", 0, "name", `The "New" #1`}, {"site", 0, "hostname", "mail.example.org"}, {"server", 1, "port", 465}, {"server", 1, "login", "z"},
		{"server", 2, "allow_non_secure", true}, {"server", 3, "host", "three.example.org"}, {"server", 3, "port", 25}, {"delivery", 0, "via", "servers"},
	}, []Setting{{Section: "site", Key: "address"}, {Section: "server", N: 1, Key: "senders_note"}, {Section: "server", N: 2, Key: "port"}})
	const want = `# our own words
[site]
name = "The \"New\" #1" # the town
hostname = "mail.example.org"

# never touch this
[[server]] # Server 1
host = "mail.example.org"
login = "z" # who
port = 465
[retry]
give_up = "50h"
[[server]]
host = "two.example.org"
allow_non_secure = true

[[server]]
host = "three.example.org"
port = 25

[delivery]
via = "servers"
`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

// What cannot be changed line by line is left to a person, not spoilt.
func TestEditLeavesOtherForms(t *testing.T) {
	for _, text := range []string{
		"site = {name = 'x'}\n", "site.name = 'x'\n", "server = [{host = 'a'}]\n", "[site]\nname = '''\nx'''\nname2.x = 1\n[site.sub]\n",
	} {
		got, err := Edit([]byte(text), []Setting{{"site", 0, "name", "y"}, {"server", 1, "host", "b"}}, nil)
		if err == nil {
			doc, e := Parse(got)
			site, _ := doc["site"].(map[string]any)
			servers, _ := doc["server"].([]map[string]any)
			if e != nil || site["name"] != "y" || len(servers) != 1 || servers[0]["host"] != "b" {
				t.Errorf("%q became %q: %v", text, got, e)
			}
		} else if !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Edit([]byte("name = "), nil, nil); err == nil || errors.Is(err, ErrForm) {
		t.Errorf("no TOML: %v", err)
	}
}

// FuzzEdit: whatever the file, an edit is made and nothing else changes, or it is refused.
func FuzzEdit(f *testing.F) {
	f.Add(edited, "name", "x")
	f.Add("[site]\r\nname = \"a\"\r\n[[server]]\r\n", "address", "'\"\\")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "" || key == "" {
			return
		}
		set := []Setting{{"site", 0, key, value}, {"server", 1, "port", 25}}
		got, err := Edit([]byte(text), set, nil)
		if err != nil {
			return
		}
		again, err := Edit(got, set, nil)
		if err != nil || string(again) != string(got) {
			t.Errorf("%q became %q and then %q: %v", text, got, again, err)
		}
	})
}
