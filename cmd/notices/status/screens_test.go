package status

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
	"notices/cmd/notices/queue"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/rate"
)

// world is a site and its queue.
type world struct {
	*fakesite.Site
	q *queue.Queue
}

func newWorld(t *testing.T) *world { return on(fakesite.New(t)) }

func on(s *fakesite.Site) *world {
	return &world{s, &queue.Queue{Program: s.Program, Store: s.Store, Policy: s.Policy}}
}

// screens are what a person sees, in terminals of 80 and 120 columns and without one
// (0); as golden files, to be read as a whole.
var screens = []int{80, 120, 0}

// TestScreens: nothing is wider than its terminal, nothing is cut without one.
func TestScreens(t *testing.T) {
	fakesite.InUTC(t)
	w := on(fakesite.BadDay(t))
	for _, columns := range screens {
		for name, text := range map[string]string{
			"status": w.statusScreen(columns, false, true),
		} {
			fakesite.Golden(t, fmt.Sprintf("%s-%d.txt", name, columns), text)
			for line := range strings.Lines(text) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); columns > 0 && n > columns {
					t.Errorf("%s in %d columns has a line of %d: %s", name, columns, n, line)
				}
			}
		}
	}
}

// TestColourIsAllThatItAdds: with the colours taken out, a coloured screen is the same.
func TestColourIsAllThatItAdds(t *testing.T) {
	fakesite.InUTC(t)
	w := on(fakesite.BadDay(t))
	for name, screen := range map[string]func(colour bool) string{
		"status": func(c bool) string { return w.statusScreen(80, c, true) },
	} {
		coloured, plain := screen(true), screen(false)
		if strings.Contains(plain, "\x1b") || !strings.Contains(coloured, "\x1b[1m") || !strings.Contains(coloured, "\x1b[33m") {
			t.Errorf("%s: colours are not where they should be:\n%q\n%q", name, plain, coloured)
		}
		if bare := fakesite.Uncoloured(coloured); bare != plain {
			t.Errorf("%s: without its colours it is\n%s\nwant\n%s", name, bare, plain)
		}
	}
}

// TestAllIsWell: an idle site sees that at the first glance.
func TestAllIsWell(t *testing.T) {
	fakesite.InUTC(t)
	w := newWorld(t)
	w.SetState(spool.LastFlushName, spool.LastFlush{At: w.Now.Add(-20 * time.Second), Tally: spool.Tally{Sent: 3}})
	fakesite.Golden(t, "status-well.txt", w.statusScreen(80, false, false))
}

// deadSignIn is what a person must know of a sign-in that is over.
func deadSignIn(name string, _ spool.State) (*SignIn, error) {
	if name != "google" {
		return nil, nil
	}
	text := "Google no longer accepts the sign-in of library@example.org (invalid_grant: Token has been expired or revoked); run: notices google-login"
	return &SignIn{Account: "library@example.org", Error: &text, NeedsPerson: true}, nil
}

// withServers adds two servers.
func withServers(o Options) Options {
	o.Servers = []config.Server{{Name: "1", Host: "mail.example.org", Port: 587}, {Name: "2", Host: "backup.example.org", Port: 25}}
	return o
}

func statusDefaults() Options {
	return Options{Warn: app.Duration(WarnAge), Critical: app.Duration(CriticalAge)}
}

func (w *world) statusScreen(columns int, colour, bad bool) string {
	w.T.Helper()
	o := withServers(statusDefaults())
	if bad {
		o.SignIn = deadSignIn
	}
	s, err := collect(context.Background(), w.q, o)
	w.Check(err)
	s.Bytes = 12345
	if bad {
		s.limitsUsed = []rate.Usage{{Limit: rate.Limit{Domains: []string{"gmail.com", "googlemail.com"}, Messages: 100, Per: time.Hour},
			Used: 100, Waiting: 12, At: w.Now.Add(-50 * time.Second), Free: w.Now.Add(4 * time.Minute)}}
	}
	t := &statusText{&term.Page{Painter: term.Painter{On: colour}, Width: cmp.Or(columns, 80)}, s}
	t.write(s.check(o))
	return t.Text()
}
