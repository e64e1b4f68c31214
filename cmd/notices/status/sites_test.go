package status

import (
	"strings"
	"testing"

	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
)

// TestSitesShown: sites without mail today are counted, in words that fit when no other site is shown.
func TestSitesShown(t *testing.T) {
	for want, list := range map[string][]site{
		"  1 site, no mail today; ":                {{Site: "east"}},
		"  2 sites, no mail today; ":               {{Site: "east"}, {Site: "west"}},
		"  east: 1 message today\n  1 more site; ": {{Site: "east", MessagesToday: 1}, {Site: "west"}},
	} {
		page := &statusText{&term.Page{}, &snapshot{Sites: list}}
		page.sites()
		if got := page.Text(); got != "Sites\n"+want+"to see all, run: notices service-key list\n" {
			t.Errorf("%q", got)
		}
	}
}

// TestCheckFailedOfSite: a site can hand in mail that cannot be returned, and raises no alarm by it.
func TestCheckFailedOfSite(t *testing.T) {
	w := newWorld(t)
	w.flushed(0)
	o := statusDefaults()
	o.Config = &config.Config{}
	o.Config.Serve.Address = "noreply@service.example"
	fail := func(id spool.ID, site string) {
		d, err := w.Store.New(t.Context(), id)
		w.Check(err)
		_, err = d.Write([]byte("Subject: x\r\n\r\n"))
		w.Check(err)
		w.Check(d.Seal(spool.Envelope{ID: id, Recipients: []string{"ann@example.net"}, QueuedAt: w.Now, Site: site}))
		_, err = w.Store.Commit(t.Context(), d)
		w.Check(err)
		w.Check(w.Claim(id).Fail(spool.Event{Kind: spool.GiveUp, At: w.Now}))
	}
	fail("1K0WSE1DCR0RRWKA", "east")
	if code, line := w.checkLine(o); code != OK || !strings.Contains(line, "1 message of sites failed") || !strings.Contains(line, " failed=0;0") {
		t.Errorf("%d: %s", code, line)
	}
	fail("1K0WSE1DCR0RRWKB", "")
	if code, line := w.checkLine(o); code != Warning || !strings.Contains(line, "1 message failed") || !strings.Contains(line, " failed=1;0") {
		t.Errorf("%d: %s", code, line)
	}
}
