package route

import (
	"slices"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/smtptest"
)

func to(s *smtptest.Server) string {
	var all []string
	for _, m := range s.Messages() {
		all = append(all, strings.Join(m.Recipients, " "))
	}
	return strings.Join(all, ", ")
}

// One recipient who needs SMTPUTF8 does not hold up the others: they have their mail, and
// only that one goes to the next server, and back if none can take it.
func TestOneNeedsUTF8(t *testing.T) {
	patrons := []string{"ann@example.com", "bücher@example.com", "bob@bücher.example"}
	plain, wide := smtptest.Options{}, smtptest.Options{SMTPUTF8: true}
	for name, c := range map[string]struct {
		one, two smtptest.Options
		servers  int
		classes  string
		first    string // what each server took
		second   string
	}{
		"one server, plain":   {plain, plain, 1, "delivered failed delivered", "ann@example.com bob@xn--bcher-kva.example", ""},
		"none can":            {plain, plain, 2, "delivered failed delivered", "ann@example.com bob@xn--bcher-kva.example", ""},
		"the second can":      {plain, wide, 2, "delivered delivered delivered", "ann@example.com bob@xn--bcher-kva.example", "bücher@example.com"},
		"the first can":       {wide, plain, 2, "delivered delivered delivered", "ann@example.com bob@xn--bcher-kva.example, bücher@example.com", ""},
		"the second is down":  {plain, smtptest.Options{SMTPUTF8: true, Reply: ever("connect", "421 4.3.2 no")}, 2, "delivered deferred delivered", "ann@example.com bob@xn--bcher-kva.example", ""},
		"the first one's too": {smtptest.Options{SMTPUTF8: true, Reply: ever("RCPT", "450 4.2.1 later")}, wide, 2, "deferred deferred deferred", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			servers := []*smtptest.Server{smtptest.New(t, c.one), smtptest.New(t, c.two)}
			w := real(t, servers[:c.servers]...)
			d := w.realOnce(patrons...)
			if classes(d) != c.classes || d.Wait != spool.Attempted {
				t.Errorf("%s: %+v", classes(d), d)
			}
			if d.Outcomes[1].Class == spool.Failed && !strings.Contains(d.Outcomes[1].Reply.Text, "SMTPUTF8") {
				t.Errorf("%+v", d.Outcomes[1])
			}
			if to(servers[0]) != c.first || to(servers[1]) != c.second {
				t.Errorf("%q and %q", to(servers[0]), to(servers[1]))
			}
		})
	}
}

// In parts, too: those who come after the one that needs it are not lost.
func TestNeedsUTF8InParts(t *testing.T) {
	s := smtptest.New(t, smtptest.Options{})
	w := real(t, s)
	w.servers[0].RecipientsPerMessage = 3
	patrons := addresses(10)
	patrons[1], patrons[5] = "ä@example.com", "ö@example.com"
	d := w.realOnce(patrons...)
	for i, o := range d.Outcomes {
		want := spool.Delivered
		if i == 1 || i == 5 {
			want = spool.Failed
		}
		if o.Class != want {
			t.Errorf("%s: %+v", patrons[i], o)
		}
	}
	if n := len(strings.Fields(strings.ReplaceAll(to(s), ",", ""))); n != 8 {
		t.Errorf("%q", to(s))
	}
}

// No server at all: none was asked, and no attempt was made.
func TestNeedsUTF8NoServer(t *testing.T) {
	s := smtptest.New(t, smtptest.Options{Reply: ever("connect", "421 4.3.2 no")})
	w := real(t, s)
	r := w.realRun()
	defer w.end(r)
	if d := w.deliver(r, "ann@example.com", "ä@example.com"); classes(d) != "deferred deferred" {
		t.Errorf("%+v", d)
	}
	if d := w.deliver(r, "ann@example.com", "ä@example.com"); d.Wait != spool.NoServer {
		t.Errorf("%+v", d)
	}
	if slices.ContainsFunc(s.Messages(), func(smtptest.Message) bool { return true }) {
		t.Error("taken")
	}
}
