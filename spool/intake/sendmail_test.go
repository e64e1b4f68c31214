package intake

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"notices/spool"
)

// sendmail is a request as callers of sendmail make it.
func sendmail(sender *string, text string, recipients ...string) Request {
	return Request{
		Sender: sender, Recipients: recipients, Body: strings.NewReader(text),
		Qualify: true, Lenient: true, FromSender: true,
	}
}

// TestAddedFrom: whose name and address a message without a From shows.
func TestAddedFrom(t *testing.T) {
	named := func(r Request) Request {
		r.FullName = "Night Desk"
		return r
	}
	rewriting := site
	rewriting.RewriteFrom = true
	for name, c := range map[string]struct {
		site Site
		r    Request
		want string
	}{
		"nobody's":      {site, sendmail(nil, "x", "a@example.net"), `"Springfield Public Library" <library@example.org>`},
		"a sender's":    {site, sendmail(pointer("desk@example.org"), "x", "a@example.net"), "desk@example.org"},
		"a named one's": {site, named(sendmail(pointer("desk"), "x", "a@example.net")), `"Night Desk" <desk@example.org>`},
		"a name's":      {site, named(sendmail(nil, "x", "a@example.net")), `"Night Desk" <library@example.org>`},
		"no sender's":   {site, sendmail(pointer(""), "x", "a@example.net"), `"Springfield Public Library" <library@example.org>`},
		"a rewriter's":  {rewriting, sendmail(pointer("desk@example.org"), "x", "a@example.net"), `"Springfield Public Library" <library@example.org>`},
	} {
		q := newDesk(c.site).must(t, c.r)
		if !strings.Contains(q.text, "From: "+c.want+"\r\n") {
			t.Errorf("%s: no From: %s in\n%s", name, c.want, q.text)
		}
	}
}

// TestArgumentsOfSendmail may be what stands in a header.
func TestArgumentsOfSendmail(t *testing.T) {
	q := newDesk(site).must(t, sendmail(pointer("Desk <desk>"), "", "A <a@example.net>, b", "<c@example.net>"))
	if want := []string{"a@example.net", "b@example.org", "c@example.net"}; !slices.Equal(q.Recipients, want) || q.Sender != "desk@example.org" {
		t.Errorf("from %s to %v", q.Sender, q.Recipients)
	}
	if _, body := q.parts(); body != "" {
		t.Errorf("an empty message has the body %q", body)
	}
	for _, bad := range []string{"a@b@c", "<>", "a@example.net> SIZE=1", "a\r\nb"} {
		if e := newDesk(site).refused(t, sendmail(nil, "x", bad)); e.Kind != BadUsage {
			t.Errorf("%q: %v", bad, e)
		}
	}
	if e := newDesk(site).refused(t, sendmail(pointer("a@b@c"), "x", "a@example.net")); e.Kind != BadUsage {
		t.Errorf("sender: %v", e)
	}
}

// TestWhatTheSenderAskedFor is in the envelope.
func TestWhatTheSenderAskedFor(t *testing.T) {
	r := sendmail(nil, "x", "a@example.net")
	r.DSN = spool.DSNParams{Notify: "never", ReturnHeaders: true, EnvelopeID: "run-7"}
	if q := newDesk(site).must(t, r); q.Notify != "never" || !q.ReturnHeaders || q.EnvelopeID != "run-7" {
		t.Errorf("%+v", q.Envelope)
	}
}

// TestCheckRequest: what is wrong is said before there is a message.
func TestCheckRequest(t *testing.T) {
	d := newDesk(site)
	if err := d.CheckRequest(Request{Sender: pointer("a@example.org"), Recipients: []string{"b@example.net"}}); err != nil {
		t.Error(err)
	}
	for _, r := range []Request{
		{Sender: pointer("a@@example.org")},
		{Sender: pointer(""), Recipients: []string{"b@example..net"}},
		{Sender: pointer(""), Recipients: []string{"root"}},
	} {
		if d.CheckRequest(r) == nil {
			t.Errorf("%+v is taken", r)
		}
	}
	d.empty(t)
}

// TestAskedOfEach: what was asked for a recipient holds for the recipients that it leads to, whatever
// stands for it and wherever else it is named.
func TestAskedOfEach(t *testing.T) {
	path := filepath.Join(t.TempDir(), "aliases")
	if err := os.WriteFile(path, []byte("root: admin@example.net, second@example.net\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := newDesk(site)
	d.Aliases = path
	r := sendmail(nil, "To: head@example.net, a@example.net\n\ntext\n", "root", "c@example.net", "second@example.net", "b@example.net")
	r.FromHeader = true
	r.DSN = spool.DSNParams{
		NotifyEach: []string{"never", "success", "delay", ""},
		Originals:  []string{"rfc822;root@desk", "", "", ""}, EnvelopeID: "run-7",
	}
	q := d.must(t, r)
	got := map[string]string{}
	for i, to := range q.Recipients {
		got[to] = q.NotifyOf(i) + " " + q.OriginalOf(i)
	}
	want := map[string]string{
		"head@example.net": " ", "a@example.net": " ", // the header's
		"admin@example.net": "never rfc822;root@desk", "second@example.net": "never rfc822;root@desk",
		"b@example.net": " ", "c@example.net": "success ",
	}
	for to, asked := range want {
		if got[to] != asked {
			t.Errorf("%s: %q, want %q", to, got[to], asked)
		}
	}
	if q.EnvelopeID != "run-7" || q.DSNParams.Check(len(q.Recipients)) != nil {
		t.Errorf("%+v", q.DSNParams)
	}
	r = plain("text\n")
	r.DSN.NotifyEach = []string{"never", "never"}
	if e := newDesk(site).refused(t, r); e.Kind != BadUsage {
		t.Errorf("two words for one recipient: %v", e)
	}
}
