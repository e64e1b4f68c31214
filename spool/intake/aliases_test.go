package intake

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"notices/spool/maillog"
)

const sampleAliases = `# what Debian writes, and what people add
mailer-daemon: postmaster
postmaster: root
nobody:root
root:	admin@example.net,
	"Second Admin" <second@example.net>,

# a comment does not end what goes on below it
	third@example.net
Webmaster: root, web@example.net
loop: pool
pool: loop
me: \me, copy@example.net
mine: mine, copy@example.net
"two words": two@example.net
spaces : spaces@example.net
prog: |/usr/bin/procmail
quoted: "|/usr/bin/vacation me"
null: /dev/null
list: :include:/etc/list
mixed: |prog, /var/mail/x, kept@example.net
broken: a@@b, kept@example.net
here: root@localhost
twice: first@example.net
twice: second@example.net
	more@example.net
quote: "john smith"
empty:
no colon here
: nobody@example.net
`

// TestAliases: where mail to a name of this machine goes.
func TestAliases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aliases")
	if err := os.WriteFile(path, []byte(sampleAliases), 0o644); err != nil {
		t.Fatal(err)
	}
	root := []string{"admin@example.net", "second@example.net", "third@example.net"}
	for name, want := range map[string][]string{
		"root":               root,
		"ROOT":               root,
		"nobody":             root,
		"Mailer-Daemon":      root,
		"root@localhost":     root,
		"here":               root,
		"webmaster":          append(slices.Clone(root), "web@example.net"),
		"loop":               {"loop@example.org"},
		"me":                 {"me@example.org", "copy@example.net"},
		"mine":               {"mine@example.org", "copy@example.net"},
		`"two words"`:        {"two@example.net"},
		"spaces":             {"spaces@example.net"},
		"mixed":              {"kept@example.net"},
		"broken":             {"kept@example.net"},
		"twice":              {"first@example.net"},
		"quote":              {`"john smith"@example.org`},
		"stranger":           {"stranger@example.org"},
		"stranger@localhost": {"stranger@localhost"}, // that there is such a host, the caller said
		"root@example.net":   {"root@example.net"},
		// What leads to no mail at all is as if it were not there: nothing is lost.
		"prog":   {"prog@example.org"},
		"quoted": {"quoted@example.org"},
		"list":   {"list@example.org"},
		"empty":  {"empty@example.org"},
	} {
		d := newDesk(site)
		d.Aliases = path
		argument := d.must(t, Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{name}, Qualify: true})
		if !slices.Equal(argument.Recipients, want) {
			t.Errorf("%s goes to %v, want %v", name, argument.Recipients, want)
		}
		header := d.must(t, Request{Body: strings.NewReader("To: " + name + "\n\n"), FromHeader: true, Qualify: true})
		if !slices.Equal(header.Recipients, want) {
			t.Errorf("To: %s goes to %v, want %v", name, header.Recipients, want)
		}
	}
}

// TestAliasesAreForSendmail: enqueue and import never take a name for one of this
// machine; and where there is no file, there are no aliases.
func TestAliasesAreForSendmail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aliases")
	d := newDesk(site)
	d.Aliases = path
	name := Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{"root"}, Qualify: true}
	if got := d.must(t, name).Recipients; !slices.Equal(got, []string{"root@example.org"}) {
		t.Errorf("without the file: %v", got)
	}
	if err := os.WriteFile(path, []byte("root: admin@example.net\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	strict := newDesk(site)
	strict.Aliases = path
	strict.refused(t, Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{"root"}})
}

// TestAliasesNeedNoDomain: who is named by an alias needs no [site] address.
func TestAliasesNeedNoDomain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aliases")
	if err := os.WriteFile(path, []byte("root: admin@example.net\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := newDesk(Site{FindHostname: hostname})
	d.Aliases = path
	r := Request{Sender: pointer("a@example.org"), FromSender: true, Qualify: true}
	r.Recipients, r.Body = []string{"root"}, strings.NewReader("From: a@example.org\n\n")
	d.must(t, r)
	r.Recipients, r.Body = []string{"other"}, strings.NewReader("From: a@example.org\n\n")
	if e := newDesk(Site{}).refused(t, r); e.Kind != BadConfig {
		t.Errorf("without a domain: %v", e)
	}
}

// TestAliasesThatAreLeftOut are told of.
func TestAliasesThatAreLeftOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aliases")
	if err := os.WriteFile(path, []byte(sampleAliases), 0o644); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	d := newDesk(site)
	d.Aliases, d.Log = path, maillog.New(&log, maillog.Warnings)
	d.must(t, Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{"mixed", "list"}, Qualify: true})
	for _, want := range []string{"|prog", "/var/mail/x", ":include:/etc/list", "no program", "leads to nobody"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log.String())
		}
	}
}

func first(found map[string][]string, _ []string) map[string][]string { return found }

// TestMistakesInAliases are told of, once, and cost none of the other lines.
func TestMistakesInAliases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aliases")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("\ufeffroot: admin@example.net\nno colon here\n: nobody\nbin: bin@example.net\n")
	var log strings.Builder
	d := newDesk(site)
	d.Aliases, d.Log = path, maillog.New(&log, maillog.Warnings)
	for range 3 {
		q := d.must(t, Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{"root", "bin"}, Qualify: true})
		if !slices.Equal(q.Recipients, []string{"admin@example.net", "bin@example.net"}) {
			t.Errorf("%q", q.Recipients)
		}
	}
	for _, want := range []string{"byte order mark", "line 2 is ignored", "line 3 is ignored"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("%q is not said once:\n%s", want, log.String())
		}
	}
	log.Reset()
	d = newDesk(site)
	d.Aliases, d.Log = filepath.Dir(path), maillog.New(&log, maillog.Warnings)
	d.must(t, Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{"root"}, Qualify: true})
	if !strings.Contains(log.String(), "the aliases cannot be read") {
		t.Errorf("a file that cannot be read: %s", log.String())
	}
}

// TestAdmin reads the mail of this machine's users that no alias names, under all names
// that this machine has; nobody else's.
func TestAdmin(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"aliases": "root: boss@example.net\nprog: \"|run\"\nnull: /dev/null\nboth: /dev/null, both@example.net\nme: \\me\n",
		"passwd":  "root:x:0:0::/:/bin/sh\nbin:x:2:2::/:\nprog:x:3:3::/:\nme:x:4:4::/:\nlibrary:x:5:5::/:\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := site
	s.Admin = "it@example.net"
	for in, want := range map[string]string{
		"root": "boss@example.net", "ROOT@localhost": "boss@example.net", "root@localhost.localdomain": "boss@example.net",
		"root@vm": "boss@example.net", "root@VM.example.org.": "boss@example.net", "root@other.example": "root@other.example",
		"bin": "it@example.net", "Bin": "it@example.net", "bin@localhost": "it@example.net", "bin@vm.example.org": "it@example.net",
		"prog": "it@example.net", "me": "it@example.net", "both": "both@example.net",
		"stranger": "stranger@example.org", "stranger@vm": "stranger@vm", "bin:x": "\"bin:x\"@example.org",
		// A user's mailbox at the site's own domain is a real one.
		"library@example.org": "library@example.org", "bin@example.org": "bin@example.org",
	} {
		d := newDesk(s)
		d.Aliases, d.Users = filepath.Join(dir, "aliases"), filepath.Join(dir, "passwd")
		d.LocalNames = func() []string {
			return []string{"localhost", "localhost.localdomain", "vm", "vm.example.org", "example.org", ""}
		}
		q, err := d.accept(Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{in}, Qualify: true})
		if err != nil || strings.Join(q.Recipients, " ") != want {
			t.Errorf("%s: %q, %v; want %s", in, q.Recipients, err, want)
		}
		if in == "bin" {
			strict := Request{Body: strings.NewReader(complete + "\n\n"), Recipients: []string{"bin@localhost"}}
			if q := d.must(t, strict); q.Recipients[0] != "bin@localhost" {
				t.Errorf("enqueue: %q", q.Recipients)
			}
		}
	}
}

// TestLocalhostWithoutAdmin: a user of this machine at localhost gets the site's domain, as one
// without a domain does.
func TestLocalhostWithoutAdmin(t *testing.T) {
	users := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(users, []byte("root:x:0:0::/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"root@localhost": "root@example.org", "root@LOCALHOST.localdomain": "root@example.org",
		"root@vm": "root@vm", "stranger@localhost": "stranger@localhost",
	} {
		d := newDesk(site)
		d.Users, d.LocalNames = users, func() []string { return []string{"localhost", "localhost.localdomain", "vm"} }
		q := d.must(t, Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{in}, Qualify: true})
		if q.Recipients[0] != want {
			t.Errorf("%s goes to %s, want %s", in, q.Recipients[0], want)
		}
	}
}

// TestDevNull: the message is taken and nothing is queued, unless somebody else gets it.
func TestDevNull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aliases")
	if err := os.WriteFile(path, []byte("null: /dev/null\nall: null, \"/dev/null\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	d := newDesk(site)
	d.Aliases, d.Log = path, maillog.New(&log, maillog.All)
	for _, name := range []string{"null", "all"} {
		id, err := d.Accept(t.Context(), Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{name}, Qualify: true})
		if err != nil || id == "" || !strings.Contains(log.String(), "discarded id="+string(id)) {
			t.Errorf("%s: %q, %v, log %s", name, id, err, log.String())
		}
	}
	d.empty(t)
	q := d.must(t, Request{Body: strings.NewReader("To: null, a@example.net\n\n"), FromHeader: true, Qualify: true})
	if !slices.Equal(q.Recipients, []string{"a@example.net"}) {
		t.Errorf("%q", q.Recipients)
	}
}

// FuzzAliases: whatever the file has in it, no panic, no endless loop, somebody comes
// out, and never more than the file names.
func FuzzAliases(f *testing.F) {
	f.Add(sampleAliases, "root")
	f.Add("a: b\nb: a, c\n\tc@example.net", "a")
	f.Add("\"a: b", "\"a")
	f.Add("a: \"|x\", (b, \\c", "a")
	f.Add(" x\n:\n\"\": \"\"\n", "")
	f.Fuzz(func(t *testing.T, text, name string) {
		in := &Intake{Site: site}
		l := &localNames{in: in, bare: true, aliases: first(parseAliases(text))}
		found, discarded, err := l.expand(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 && !discarded {
			t.Error("nobody")
		}
		if len(found) > len(text)+1 {
			t.Errorf("%d recipients of %d octets", len(found), len(text))
		}
	})
}
