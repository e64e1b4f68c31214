package intake

import (
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
