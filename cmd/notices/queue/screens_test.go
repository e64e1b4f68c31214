package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"notices/cmd/notices/fakesite"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/records"
)

// screens are what a person sees, in terminals of 80 and 120 columns and without one
// (0); as golden files, to be read as a whole.
var screens = []int{80, 120, 0}

// TestScreens: nothing is wider than its terminal, nothing is cut without one.
func TestScreens(t *testing.T) {
	fakesite.InUTC(t)
	w := on(fakesite.BadDay(t))
	for _, columns := range screens {
		for name, text := range map[string]string{
			"list": w.listScreen(columns, false),
			"show": w.showScreen(columns, false, "1K0WSE1DCR0RRWKC"),
		} {
			fakesite.Golden(t, fmt.Sprintf("%s-%d.txt", name, columns), text)
			for line := range strings.Lines(text) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); columns > 0 && n > columns {
					t.Errorf("%s in %d columns has a line of %d: %s", name, columns, n, line)
				}
			}
		}
	}
	if whole := w.listScreen(0, false); !strings.Contains(whole, fakesite.LongAddress) || strings.Contains(whole, "…") {
		t.Errorf("without a terminal something is cut off:\n%s", whole)
	}
}

// TestColourIsAllThatItAdds: with the colours taken out, a coloured screen is the same.
func TestColourIsAllThatItAdds(t *testing.T) {
	fakesite.InUTC(t)
	w := on(fakesite.BadDay(t))
	const id = "1K0WSE1DCR0RRWKC"
	for name, screen := range map[string]func(colour bool) string{
		"list": func(c bool) string { return w.listScreen(80, c) },
		"show": func(c bool) string { return w.showScreen(80, c, id) },
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

func (w *world) listScreen(columns int, colour bool) string {
	w.T.Helper()
	entries, err := records.List(context.Background(), w.q.Store, func(spool.Entry) bool { return true })
	w.Check(err)
	slices.SortFunc(entries, ByNextSend)
	w.Out.Reset()
	l := newListing(w.Program, ListOptions{}, entries)
	l.width, l.paint = columns, term.Painter{On: colour}
	w.Check(records.Read(context.Background(), w.q.Store, entries, func(r records.Message) {
		w.Check(r.Err)
		l.add(describe(r.Record, w.q.Policy))
	}))
	w.Check(l.end())
	return w.Out.String()
}

func (w *world) showScreen(columns int, colour bool, id string) string {
	w.T.Helper()
	r, headers, err := w.q.open(context.Background(), id)
	w.Check(err)
	t := &messageText{&term.Page{Painter: term.Painter{On: colour}, Width: columns}, w.Now}
	t.write(&shownJSON{describe(r, w.q.Policy), headers, eventsOf(r)})
	return t.Text()
}
