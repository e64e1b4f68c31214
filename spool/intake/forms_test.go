package intake

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRecipientForms: what PHP and people write into To and into arguments.
func TestRecipientForms(t *testing.T) {
	users := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(users, []byte("root:x:0:0::/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{
		`o\'neil@d.example`: "o'neil@d.example", "p@d.example>": "p@d.example", "[p@d.example]": "p@d.example",
		"Ann <p@d.example> <q@d.example>": "p@d.example q@d.example", "Ann (Lee) p@d.example": "p@d.example",
		"Lee, Ann <p@d.example>": "p@d.example", "Ann Lee p@d.example": "p@d.example", "Müller, Jürgen <p@d.example>": "p@d.example",
		"root, Ann <p@d.example>": "root@example.org p@d.example", "root, p@d.example": "root@example.org p@d.example",
		"p@d.example\u00a0": "p@d.example", "\ufeff<p@d.example\u200b>": "p@d.example", "Ann <\u200ep@d.example\u00ad>, q@d.example": "p@d.example q@d.example",
	} {
		d := newDesk(site)
		d.Users = users
		q, err := d.accept(sendmail(nil, "To: "+to+"\n\nText.\n"))
		if err != nil || strings.Join(q.Recipients, " ") != want || q.UTF8 {
			t.Errorf("%q: %q, UTF8 %v, %v\n%s", to, q.Recipients, q.UTF8, err, q.text)
		}
	}
	for arg, want := range map[string]string{"p@d.example>": "[p@d.example]", "p@d.example\u00a0": "[p@d.example]", "\u200bp@d.example": "[p@d.example]"} {
		if q := newDesk(site).must(t, sendmail(nil, "\n", arg)); fmt.Sprint(q.Recipients) != want {
			t.Errorf("%q: %q", arg, q.Recipients)
		}
	}
	for _, bad := range []string{"a\u00a0b@d.example", "a@d\u200b.example", "a@。example", "a@\u2066x.example"} {
		newDesk(site).refused(t, Request{Recipients: []string{bad}, Body: strings.NewReader("To: x@d.example\n\n")})
	}
}

// TestNamesInTheHeader: cron's To: root is somebody, whichever command it is handed to. All
// else without a domain is refused there as before.
func TestNamesInTheHeader(t *testing.T) {
	users := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(users, []byte("root:x:0:0::/:/bin/sh\nbin:x:2:2::/:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	withAdmin := site
	withAdmin.Admin = "admin@a.example"
	for to, want := range map[string]string{
		"root": "boss@a.example", "Root <ROOT>": "boss@a.example", "root (Cron Daemon), p@d.example": "boss@a.example p@d.example",
		"bin": "admin@a.example", "patron": "patron@example.org", "root, Ann <p@d.example>": "boss@a.example p@d.example",
		"Staff: root, bin;": "boss@a.example admin@a.example", "gone, bin": "admin@a.example",
		"Miller, Ann <p@d.example>": "", "Ann Lee": "", "Müller": "", "a@": "", "bad@@d.example": "", "<root": "", "root, bad@@d.example": "",
	} {
		d := newDesk(withAdmin)
		d.Users, d.Aliases = users, aliasesOf(t, "root: chief\nchief: boss@a.example\ngone: /dev/null\n")
		q, err := d.accept(Request{Body: strings.NewReader("To: " + to + "\n\nText.\n")})
		if strings.Join(q.Recipients, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", to, q.Recipients, err)
		}
	}
	newDesk(withAdmin).refused(t, Request{Recipients: []string{"root"}, Body: strings.NewReader("To: root\n\n")})
}

// TestImportToNobody: an alias may send one of many to /dev/null.
func TestImportToNobody(t *testing.T) {
	c := newCounter(t)
	d := newDesk(site)
	d.Store, d.Aliases = c.store, aliasesOf(t, "gone: /dev/null\n")
	b := d.Bulk(sha256.New, nil, nil)
	to := func(name string) Request { return Request{Body: strings.NewReader("To: " + name + "\n\nText.\n")} }
	if env, before, err := b.Preview(t.Context(), to("gone")); env != nil || before || err != nil {
		t.Errorf("%v, %v, %v", env, before, err)
	}
	for _, name := range []string{"gone", "p@d.example"} {
		if _, err := b.Add(t.Context(), to(name)); err != nil {
			t.Error(err)
		}
	}
	if ids, err := b.Commit(t.Context()); len(ids) != 1 || err != nil {
		t.Errorf("%q, %v", ids, err)
	}
}
