package summary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/history/report"
	"notices/spool/intake"
)

// week is what became of the mail of a week, one notice every two hours.
func week(now time.Time) (list []spool.HistoryEntry) {
	domains := []string{"gmail.com", "gmail.com", "example.net", "gmail.com", "outlook.com"}
	for n := range 7 * 12 {
		at := now.Add(-time.Duration(n*2)*time.Hour - time.Hour)
		e := spool.HistoryEntry{
			ID: spool.ID(fmt.Sprintf("1K%04d", n)), QueuedAt: at, EndedAt: at.Add(time.Minute), Sender: "library@example.org", Ref: fmt.Sprint(20000 + n),
			Recipient: fmt.Sprintf("patron%d@%s", n, domains[n%5]), Attempts: 1, Ending: spool.EndedDelivered,
		}
		reply := spool.Reply{Server: "1", Host: "mail.example.org", Code: 250, Enhanced: "2.0.0", Text: "Ok", At: at}
		switch n % 40 {
		case 7:
			e.Ending, reply.Code, reply.Enhanced, reply.Text = spool.EndedReturned, 550, "5.1.1", "no such user"
		case 18:
			e.Ending, reply.Code, reply.Enhanced, reply.Text = spool.EndedBounced, 552, "5.2.2", "mailbox full"
		case 33:
			e.Ending, e.Last.Reason = spool.EndedRemoved, spool.ReasonReturned
		}
		e.Last = spool.Outcome{Class: spool.Delivered, Scope: spool.RecipientScope, Reply: reply}
		if e.Ending != spool.EndedDelivered {
			e.Last.Class = spool.Failed
		}
		list = append(list, e)
	}
	return list
}

// newSummary is a site at a fixed time, with an outage of Server 1 behind it.
func newSummary(t *testing.T, entries []spool.HistoryEntry) (*fakesite.Site, *Summary) {
	t.Helper()
	fakesite.InUTC(t)
	w := fakesite.New(t)
	w.SetState(spool.OutagesName+"1", spool.Outages{
		{Host: "mail.example.org", Since: w.Now.Add(-50 * time.Hour), Until: w.Now.Add(-48 * time.Hour), Reason: spool.ReasonConnect},
	})
	return w, &Summary{
		Program: w.Program, Source: fakesite.Ended{Entries: entries}, State: w.Store.State(),
		Servers: []Server{{"1", "mail.example.org"}, {"2", "backup.example.org"}},
		Name:    "Springfield Public Library", Address: "library@example.org", KeepHistory: 90 * 24 * time.Hour,
		NoAddress: func() error { return errors.New("no address") },
	}
}

func options(w *fakesite.Site) Options {
	return Options{Since: w.Now.Add(-7 * 24 * time.Hour), SinceText: "7d"}
}

func TestText(t *testing.T) {
	w, s := newSummary(t, nil)
	s.Source = fakesite.Ended{Entries: week(w.Now)}
	w.Check(s.Run(t.Context(), options(w)))
	fakesite.Golden(t, "week.txt", w.Out.String())

	w, s = newSummary(t, nil)
	w.Check(s.Run(t.Context(), options(w)))
	fakesite.Golden(t, "empty.txt", w.Out.String())

	w, s = newSummary(t, nil)
	s.KeepHistory, s.Servers = 0, nil
	w.Check(s.Run(t.Context(), options(w)))
	fakesite.Golden(t, "kept_not.txt", w.Out.String())
}

// hostile are entries with the longest that there can be, and many of them.
func hostile(now time.Time) (list []spool.HistoryEntry) {
	for n := range 10_000 {
		at := now.Add(-time.Duration(n) * time.Second)
		e := spool.HistoryEntry{ID: spool.ID(fmt.Sprint("1K", n)), QueuedAt: at, EndedAt: at, Recipient: fmt.Sprintf("patron%d@d%d.example", n, n), Ending: spool.EndedReturned,
			Last: spool.Outcome{Class: spool.Failed, Reply: spool.Reply{Code: 550, Enhanced: "5.1.1", Text: "no"}}}
		switch n {
		case 0:
			e.Recipient, e.Ref = strings.Repeat("a", 64)+"@"+strings.Repeat("long.", 37)+"net", strings.Repeat("9", 100)
		case 1:
			e.Recipient, e.Ref = "Zoë-用户@"+strings.Repeat("例え.", 20)+"example", "\x1b[2Jx\r\ny"
		case 2:
			e.Last.Reason, e.Sender = spool.ReasonSender, strings.Repeat("s", 500)+"@example.net"
		}
		list = append(list, e)
	}
	return list
}

// TestTextFits: nothing is wider than the screen, whatever the addresses, and a long list ends
// with the command that shows it.
func TestTextFits(t *testing.T) {
	w, s := newSummary(t, nil)
	s.Name, s.Servers = strings.Repeat("Library ", 30), []Server{{"1", strings.Repeat("mail.", 50)}}
	s.Source = fakesite.Ended{Entries: append(week(w.Now), hostile(w.Now)...)}
	r, err := s.collect(t.Context(), spool.HistoryQuery{}, options(w).Since, w.Now)
	w.Check(err)
	v := r.View(report.Site{Name: s.Name, Zone: time.UTC, KeepHistory: s.KeepHistory}, textLimits)
	for _, width := range []int{40, 76, 80, 132} {
		page := &term.Page{Width: width}
		write(page, v)
		for line := range strings.Lines(page.Text()) {
			line = strings.TrimSuffix(line, "\n")
			if n := term.Columns(line); n > width || strings.ContainsAny(line, "\x1b\r\x00") {
				t.Errorf("in %d columns there is a line of %d: %q", width, n, line)
			}
		}
		words := strings.Join(strings.Fields(page.Text()), " ")
		for _, want := range []string{"and 9,804 more; to see all of them, run: sudo -u notices notices report --since"} {
			if !strings.Contains(words, want) {
				t.Errorf("in %d columns it does not say %q", width, want)
			}
		}
	}
}

// TestJSONHasAll: no list is cut, and what is damaged is told on standard error.
func TestJSONHasAll(t *testing.T) {
	w, s := newSummary(t, nil)
	s.Source = fakesite.Ended{Entries: hostile(w.Now), Damaged: []spool.Anomaly{{Name: "history/20414", Why: "line 3 is damaged"}}}
	o := options(w)
	o.JSON = true
	w.Check(s.Run(t.Context(), o))
	var r report.Report
	w.Check(json.Unmarshal([]byte(w.Out.String()), &r))
	if len(r.Addresses) != 10_000 || len(r.Domains) != 10_000 || len(r.Days) != 8 || r.Servers[0].DownSeconds != 7200 || r.Servers[0].Troubles != 1 {
		t.Errorf("%d addresses, %d domains, %d days, %+v", len(r.Addresses), len(r.Domains), len(r.Days), r.Servers)
	}
	if got := w.Said.String(); got != "notices: history/20414: line 3 is damaged\n" {
		t.Errorf("said: %s", got)
	}
}

func TestCheck(t *testing.T) {
	now := time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		o     Options
		args  []string
		given string
		want  string // part of the error; empty: none
		mail  string
	}{
		{},
		{o: Options{JSON: true}, given: "json"},
		{o: Options{Mail: DefaultAddress}, given: "mail", mail: DefaultAddress},
		{o: Options{Mail: DefaultAddress}, args: []string{"director@example.org"}, given: "mail", mail: "director@example.org"},
		{o: Options{Mail: "director@example.org"}, given: "mail", mail: "director@example.org"},
		{o: Options{Mail: "director@example.org"}, args: []string{"x@example.org"}, given: "mail", want: `unexpected argument "x@example.org"`},
		{args: []string{"director@example.org"}, want: "use --mail ADDRESS"},
		{o: Options{Mail: "director"}, given: "mail", want: "--mail: address \"director\" has no @"},
		{o: Options{Mail: DefaultAddress}, args: []string{"a@example.org\r\nBcc: b@example.org"}, given: "mail", want: "--mail: "},
		{o: Options{Mail: ""}, given: "mail", want: "--mail= is empty"},
		{o: Options{Mail: DefaultAddress}, args: []string{""}, given: "mail", want: "--mail= is empty"},
		{o: Options{HTML: ""}, given: "html", want: "--html is empty"},
		{o: Options{JSON: true, HTML: "-"}, given: "json html", want: "cannot be combined"},
		{o: Options{Mail: DefaultAddress, HTML: "-"}, given: "mail html", want: "cannot be combined"},
		{o: Options{Since: now, SinceText: "0"}, want: "--since 0 is in the future"},
	} {
		err := c.o.Check(c.args, func(option string) bool { return strings.Contains(" "+c.given+" ", " "+option+" ") }, now)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v %q: %v, want %q", c.o, c.args, err, c.want)
		case err == nil && c.o.Mail != c.mail:
			t.Errorf("%+v %q: to %q", c.o, c.args, c.o.Mail)
		}
	}
}

// TestRecipient: an address that is given, else the admin, else the site; without any nothing
// is made.
func TestRecipient(t *testing.T) {
	for _, c := range []struct{ given, admin, address, want string }{
		{DefaultAddress, "", "library@example.org", "library@example.org"},
		{DefaultAddress, "admin@example.org", "library@example.org", "admin@example.org"},
		{"director@example.org", "admin@example.org", "library@example.org", "director@example.org"},
		{"director@example.org", "", "", "director@example.org"},
	} {
		w, s := newSummary(t, nil)
		s.Admin, s.Address = c.admin, c.address
		var got intake.Request
		s.Accept = func(_ context.Context, r intake.Request) (spool.ID, error) { got = r; return "1KID", nil }
		o := options(w)
		o.Mail = c.given
		w.Check(s.Run(t.Context(), o))
		from := c.address
		if from == "" {
			from = c.given
		}
		if len(got.Recipients) != 1 || got.Recipients[0] != c.want || *got.Sender != from || w.Out.String() != "1KID\n" {
			t.Errorf("%+v: to %q from %q, printed %q", c, got.Recipients, *got.Sender, w.Out.String())
		}
	}
	w, s := newSummary(t, nil)
	s.Address = ""
	o := options(w)
	o.Mail = DefaultAddress
	if err := s.Run(t.Context(), o); err == nil || err.Error() != "no address" || w.Out.Len() > 0 {
		t.Errorf("%v", err)
	}
}

// TestMail: any mail program can read it, no autoresponder answers it, and both parts say the same.
func TestMail(t *testing.T) {
	w, s := newSummary(t, nil)
	s.Name = "Bücherei am Fluß, \"Zweigstelle\" der Stadt mit dem sehr langen Namen\r\nBcc: eve@example.com"
	s.Source = fakesite.Ended{Entries: append(week(w.Now), hostile(w.Now)...)}
	var raw []byte
	s.Accept = func(_ context.Context, r intake.Request) (id spool.ID, err error) {
		raw, err = io.ReadAll(r.Body)
		return "1KID", err
	}
	o := options(w)
	o.Mail = "director@bücherei.example"
	w.Check(s.Run(t.Context(), o))
	for line := range bytes.Lines(raw) {
		if !bytes.HasSuffix(line, []byte("\r\n")) || len(line) > 400 || strings.ContainsFunc(string(line), func(r rune) bool { return r > '~' }) {
			t.Errorf("a line of the mail: %q", line)
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	w.Check(err)
	from, err := m.Header.AddressList("From")
	w.Check(err)
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	w.Check(err)
	name := "Bücherei am Fluß, \"Zweigstelle\" der Stadt mit dem sehr langen Namen Bcc: eve@example.com"
	if len(from) != 1 || from[0].Name != name || from[0].Address != "library@example.org" || m.Header.Get("To") != "<director@xn--bcherei-n2a.example>" ||
		m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("Bcc") != "" || m.Header.Get("MIME-Version") != "1.0" {
		t.Errorf("%v", m.Header)
	}
	if want := name + ": 10,082 notices sent, 10,004 came back (17 to 24 November)"; subject != want {
		t.Errorf("subject %s, want %s", subject, want)
	}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	w.Check(err)
	if kind != "multipart/alternative" {
		t.Error(kind)
	}
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	for _, want := range []string{"text/plain; charset=utf-8", "text/html; charset=utf-8"} {
		p, err := parts.NextRawPart()
		w.Check(err)
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		w.Check(err)
		for _, says := range []string{"10,082 notices were sent, 10,004 came back.", "patron3@d3.example", "There is no mailbox with that name", "gmail.com", "mail.example.org"} {
			if p.Header.Get("Content-Type") != want || !strings.Contains(string(text), says) {
				t.Errorf("%s does not say %q: %.300s", p.Header.Get("Content-Type"), says, text)
			}
		}
		if strings.Contains(string(text), "no such user") || strings.Contains(string(text), "http") {
			t.Errorf("%s has a server's own words, or a link", want)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Error("there is another part")
	}
	if len(raw) > 100_000 {
		t.Errorf("the mail has %d octets", len(raw))
	}
}

// TestPageFile: the page takes the place of a file as a whole, keeps its mode, follows a link,
// and leaves nothing else in the folder.
func TestPageFile(t *testing.T) {
	w, s := newSummary(t, week(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)))
	dir := t.TempDir()
	to := func(name string) error {
		o := options(w)
		o.HTML = filepath.Join(dir, name)
		return s.Run(t.Context(), o)
	}
	mode := func(name string) os.FileMode {
		t.Helper()
		st, err := os.Stat(filepath.Join(dir, name))
		w.Check(err)
		page, err := os.ReadFile(filepath.Join(dir, name))
		w.Check(err)
		if !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) || !bytes.HasSuffix(page, []byte("</html>\n")) {
			t.Errorf("%s is no whole page", name)
		}
		return st.Mode().Perm()
	}
	w.Check(to("new.html"))
	if got := mode("new.html"); got != 0o600 {
		t.Errorf("a new file has the mode %o", got)
	}
	w.Check(os.WriteFile(filepath.Join(dir, "old.html"), []byte(strings.Repeat("old", 1<<20)), 0o644))
	w.Check(os.Symlink("old.html", filepath.Join(dir, "link.html")))
	w.Check(to("link.html"))
	if got := mode("old.html"); got != 0o644 {
		t.Errorf("a file that was there has the mode %o", got)
	}
	if _, err := os.Readlink(filepath.Join(dir, "link.html")); err != nil {
		t.Errorf("the link is gone: %v", err)
	}
	w.Check(os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	for _, name := range []string{"missing/x.html", "folder", "old.html/x.html", strings.Repeat("x", 300)} {
		err := to(name)
		if err == nil || app.ExitCode(err) != app.ExitCannotMake || !strings.Contains(err.Error(), "notices report --html - > FILE") {
			t.Errorf("%.20s: %v", name, err)
		}
	}
	if found, _ := os.ReadDir(dir); len(found) != 4 {
		t.Errorf("something else is in the folder: %v", found)
	}
	if err := to("../" + filepath.Base(dir) + "/new.html"); err != nil || w.Out.Len() > 0 {
		t.Errorf("%v, printed %q", err, w.Out.String())
	}
	o := options(w)
	o.HTML = "-"
	w.Check(s.Run(t.Context(), o))
	if !strings.HasPrefix(w.Out.String(), "<!DOCTYPE html>") {
		t.Errorf("%.100s", w.Out.String())
	}
}
