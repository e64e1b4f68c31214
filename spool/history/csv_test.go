package history

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"
	"unicode"

	"notices/spool"
)

// TestCells: what a spreadsheet would run becomes text, and everything else stays.
func TestCells(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"patron-20041":                "patron-20041",
		"ann@example.net":             "ann@example.net",
		"1 = 1":                       "1 = 1",
		"The mailbox is full.":        "The mailbox is full.",
		"a; b":                        "a; b",
		"=1+1":                        "'=1+1",
		"+49 30 1234":                 "'+49 30 1234",
		"-1":                          "'-1",
		"@SUM(A1)":                    "'@SUM(A1)",
		"\t=1+1":                      "'=1+1",
		"\ttext":                      "'text",
		"\rtext":                      "'text",
		"\ntext":                      "'text",
		"  =1+1":                      "'=1+1",
		"\u00a0=1+1":                  "'=1+1",
		"\u200b=1+1":                  "'?=1+1",
		"\u200d=1+1":                  "'\u200d=1+1",
		"\x00=1+1":                    "'?=1+1",
		"\ufeff=1+1":                  "'?=1+1",
		"＝1+1":                        "'＝1+1",
		"＋1":                          "'＋1",
		"－1":                          "'－1",
		"＠A1":                         "'＠A1",
		"\"=1+1":                      "'\"=1+1",
		"text;=1+1":                   "text;'=1+1",
		"text; \t=1+1":                "text;' =1+1",
		"text\t=1+1":                  "text =1+1",
		"text\r\n=1+1":                "text =1+1",
		`=HYPERLINK("http://x","ok")`: `'=HYPERLINK("http://x","ok")`,
		"=cmd|' /C calc'!A0":          "'=cmd|' /C calc'!A0",
		"x\"\n=1+1\n\"":               "x\" =1+1 \"",
	} {
		if got := cell(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzCells: whatever stands in a cell comes back as one cell, on one line, that is no formula.
func FuzzCells(f *testing.F) {
	for _, s := range []string{"=1+1", "a;=1", "\t+1", "\u200b@x", "\"=1", "x\",\"=1\r\n", "＝1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b strings.Builder
		c := NewCSV(&b)
		c.Add(&Row{Ref: s, Recipient: s, Reason: s, Sender: s})
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil || len(lines) != 2 || strings.Count(b.String(), "\n") != 2 {
			t.Fatalf("%q: %v, %q", s, err, b.String())
		}
		for part := range strings.SplitSeq(lines[1][0], ";") {
			if isFormula(part) || strings.ContainsFunc(part, unicode.IsControl) {
				t.Errorf("%q became %q", s, lines[1][0])
			}
		}
	})
}

// TestCSV is the whole file, with a reply that a hostile server made up.
func TestCSV(t *testing.T) {
	e := spool.HistoryEntry{ID: "A1", QueuedAt: minutes(0), EndedAt: minutes(90), Sender: "desk@example.org", Recipient: "=x@example.net", Ref: `+20041, "Ann"`,
		Attempts: 3, Ending: spool.EndedReturned, Last: unknown}
	e.Last.Reply.Text = "=HYPERLINK(\"http://evil.example\")\r\n,,,=1+1"
	row := FromEntry(&e)
	r := queued("A2", 1, "ben@example.net")
	waits := FromRecord(r)[0]
	var b strings.Builder
	c := NewCSV(&b)
	c.Add(&row)
	c.Add(&waits)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = `ref,address,since,status,reason,outcome,id,sender,server,queued_at,attempts
"'+20041, ""Ann""",'=x@example.net,2026-11-23T10:30:00Z,5.1.1,"There is no mailbox with that name: the address is misspelled, or no longer in use.",returned,A1,desk@example.org,2,2026-11-23T09:00:00Z,3
ref-A2,ben@example.net,,,,waiting,A2,desk@example.org,,2026-11-23T09:01:00Z,0
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestTimeJSON: whole seconds in UTC, or null.
func TestTimeJSON(t *testing.T) {
	zone := time.FixedZone("", 3600)
	for want, at := range map[string]Time{
		"null":                   {},
		`"2026-11-23T09:00:00Z"`: {time.Date(2026, 11, 23, 10, 0, 0, 999, zone)},
	} {
		if b, err := at.MarshalJSON(); err != nil || string(b) != want {
			t.Errorf("%s, %v; want %s", b, err, want)
		}
	}
}
