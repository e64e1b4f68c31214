package historyfile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/internal/simfs"
)

// testingT is what *testing.T and *rapid.T have in common.
type testingT interface {
	Helper()
	Fatalf(format string, args ...any)
}

var today = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// newLog is a log on an empty disk, with a clock that can be set.
func newLog() (*Log, *simfs.Disk, *time.Time) {
	disk, now := simfs.New(), today
	disk.Clock = func() int64 { return now.Unix() }
	return &Log{FS: disk.Open(nil), Now: func() time.Time { return now }}, disk, &now
}

func find(t testingT, l *Log, q spool.HistoryQuery) (ids []string, damage []spool.Anomaly) {
	t.Helper()
	damage, err := l.Search(timeless{}, q, func(e *spool.HistoryEntry) bool {
		ids = append(ids, string(e.ID))
		return true
	})
	if err != nil {
		t.Fatalf("search: %v", err)
	}
	return ids, damage
}

func add(t testingT, l *Log, ids ...string) {
	t.Helper()
	for _, id := range ids {
		e := spool.HistoryEntry{ID: spool.ID(id), QueuedAt: l.Now().Add(-time.Hour), EndedAt: l.Now(), Recipient: id + "@example.net", Ending: spool.EndedDelivered}
		if err := l.Add([]spool.HistoryEntry{e}); err != nil {
			t.Fatalf("add: %v", err)
		}
	}
}

// TestDamagedLines: what cannot be read is passed over and told, with where it is.
func TestDamagedLines(t *testing.T) {
	l, disk, now := newLog()
	add(t, l, "A", "B", "C")
	name := Dir + "/2026-03-02"
	text := string(disk.Read(name))
	for what, c := range map[string]struct {
		text, ids string
		tomorrow  bool
		says      string
	}{
		"whole":             {text, "A B C", true, ""},
		"a changed octet":   {strings.Replace(text, "B@example.net", "b@example.net", 1), "A C", false, "damaged lines were passed over: 1, the first is line 3"},
		"a lost newline":    {strings.Replace(text, "\n", "", 2), "C", false, ": 1, the first is line 1"},
		"zeroes":            {text + "\n" + strings.Repeat("\x00", 700) + text, "A B C", false, ": 1, the first is line 5"},
		"very long":         {strings.Repeat("x", 3*blockSize) + text, "A B C", false, "the first is line 1"},
		"being written":     {text[:len(text)-5], "A B", false, ""},
		"never finished":    {text[:len(text)-5], "A B", true, ": 1, the first is line 4"},
		"continued":         {text[:len(text)-5] + text, "A B C", false, ": 1, the first is line 4"},
		"many":              {strings.Repeat(text, 7) + strings.Replace(strings.Repeat(text, 3), "C@", "c@", 1), "A B C", false, ": 1, the first is line 25"},
		"with empty lines":  {"\n\n" + text + "\n\n\n", "A B C", true, ""},
		"CR LF":             {strings.ReplaceAll(text, "\n", "\r\n"), "C", false, ": 3, the first is line 1"},
		"another's content": {"To: patron\n\nhello\n", "", true, ": 2, the first is line 1"},
	} {
		*now = today
		disk.Write(name, []byte(c.text))
		if c.tomorrow {
			*now = today.AddDate(0, 0, 1)
		}
		ids, damage := find(t, l, spool.HistoryQuery{})
		if strings.Join(ids, " ") != c.ids {
			t.Errorf("%s: found %q, want %s", what, ids, c.ids)
		}
		// What is told does not depend on what is asked for.
		_, other := find(t, l, spool.HistoryQuery{Recipient: "nobody@example.net"})
		for _, damage := range [][]spool.Anomaly{damage, other} {
			if c.says == "" && len(damage) > 0 || c.says != "" && (len(damage) != 1 || !strings.Contains(damage[0].Why, c.says) || damage[0].Name != name) {
				t.Errorf("%s: told %v, want %q", what, damage, c.says)
			}
		}
	}
}

// TestUnfinishedForLong: a line that nobody has added to for a minute is not being written.
func TestUnfinishedForLong(t *testing.T) {
	l, disk, now := newLog()
	add(t, l, "A")
	name := Dir + "/2026-03-02"
	text := disk.Read(name)
	disk.Write(name, text[:len(text)-5])
	for _, later := range []time.Duration{59 * time.Second, time.Minute} {
		*now = today.Add(later)
		if _, damage := find(t, l, spool.HistoryQuery{}); len(damage) != int(later/time.Minute) {
			t.Errorf("%v later: %v", later, damage)
		}
	}
}

// TestForeignFiles: what is not ours is neither read nor removed.
func TestForeignFiles(t *testing.T) {
	l, disk, now := newLog()
	add(t, l, "A")
	foreign := []string{Dir + "/README", Dir + "/2026-03-02.bak", Dir + "/.2026-03-02.swp", Dir + "/2026-13-01"}
	for _, name := range foreign {
		disk.Write(name, disk.Read(Dir+"/2026-03-02"))
	}
	if ids, damage := find(t, l, spool.HistoryQuery{}); len(ids) != 1 || len(damage) > 0 {
		t.Errorf("found %q, %v", ids, damage)
	}
	*now = today.AddDate(1, 0, 0)
	if err := l.Forget(t.Context(), *now); err != nil {
		t.Fatal(err)
	}
	if got := disk.Names(Dir); !slices.Equal(got, slices.Sorted(slices.Values(foreign))) {
		t.Errorf("left: %q", got)
	}
}

// TestRemovedByAPerson: entries go on in a new file.
func TestRemovedByAPerson(t *testing.T) {
	l, disk, _ := newLog()
	add(t, l, "A")
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := disk.Open(nil).Unlink(Dir + "/2026-03-02"); err != nil {
		t.Fatal(err)
	}
	add(t, l, "B") // nobody can know yet
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	add(t, l, "C")
	if ids, _ := find(t, l, spool.HistoryQuery{}); strings.Join(ids, " ") != "C" {
		t.Errorf("found %q", ids)
	}
}

// TestSinceSkipsFiles: days before are not read at all, days behind Until are, since what is
// there may have superseded an entry.
func TestSinceSkipsFiles(t *testing.T) {
	l, disk, now := newLog()
	for n := range 10 {
		*now = today.AddDate(0, 0, n)
		add(t, l, fmt.Sprint(n))
	}
	read := map[string]bool{}
	l.FS = watched{disk.Open(nil), read}
	ids, _ := find(t, l, spool.HistoryQuery{Since: today.AddDate(0, 0, 4).Add(-time.Hour), Until: today.AddDate(0, 0, 6).Add(-time.Hour)})
	if strings.Join(ids, " ") != "4 5" || len(read) != 7 || !read[Dir+"/2026-03-05"] || !read[Dir+"/2026-03-11"] {
		t.Errorf("found %q in %v", ids, read)
	}
}

// TestManyFiles: of a history of years few files are open at a time.
func TestManyFiles(t *testing.T) {
	l, disk, now := newLog()
	for n := range 3 * maxOpen {
		*now = today.AddDate(0, 0, n)
		e := spool.HistoryEntry{ID: spool.ID(fmt.Sprintf("%03d", n)), QueuedAt: today.Add(time.Duration(n*7919%200) * time.Second)}
		if err := l.Add([]spool.HistoryEntry{e}); err != nil {
			t.Fatal(err)
		}
	}
	open, most := 0, 0
	l.FS = counted{disk.Open(nil), &open, &most}
	if ids, _ := find(t, l, spool.HistoryQuery{}); len(ids) != 3*maxOpen || open != 0 || most > maxOpen+1 {
		t.Errorf("%d entries; %d files open, %d at once", len(ids), open, most)
	}
}

// TestSearchIsAFilter: whatever was written, in whatever order and however often, a search finds
// what the query chooses of the entries that were written last.
func TestSearchIsAFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, _, now := newLog()
		latest := map[string]spool.HistoryEntry{}
		for range rapid.IntRange(0, 60).Draw(t, "writes") {
			e := smallEntry().Draw(t, "entry")
			latest[fmt.Sprint(e.ID, " ", e.Index)] = e
			*now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "hours")) * time.Hour)
			if err := l.Add([]spool.HistoryEntry{e}); err != nil {
				t.Fatal(err)
			}
		}
		q := smallQuery().Draw(t, "query")
		var want, got []spool.HistoryEntry
		for _, e := range latest {
			if q.Chooses(&e) {
				want = append(want, e)
			}
		}
		slices.SortFunc(want, func(a, b spool.HistoryEntry) int { return spool.CompareHistory(&a, &b) })
		damage, err := l.Search(timeless{}, q, func(e *spool.HistoryEntry) bool { got = append(got, *e); return true })
		if err != nil || len(damage) > 0 || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v: found\n%+v, want\n%+v; %v, %v", q, got, want, damage, err)
		}
	})
}

func oneOf(texts ...string) *rapid.Generator[string] { return rapid.SampledFrom(texts) }

// smallEntry draws entries of which several have the same name. What never changes of an entry
// follows from its name.
func smallEntry() *rapid.Generator[spool.HistoryEntry] {
	return rapid.Custom(func(t *rapid.T) spool.HistoryEntry {
		id, i := oneOf("A", "A-1", "a", "B1").Draw(t, "id"), rapid.IntRange(0, 11).Draw(t, "index")
		key := len(id)*7 + i
		return spool.HistoryEntry{
			ID: spool.ID(id), Index: i, QueuedAt: today.Add(time.Duration(key%3) * time.Second), EndedAt: today.Add(-time.Duration(rapid.IntRange(0, 9).Draw(t, "ended")) * time.Minute),
			Recipient: []string{"Ann@example.net", "ann@example.net", "Ärzte@x.example", `a\b@x.example`, ""}[key%5],
			Sender:    []string{"", "L@x.example", "l@X.example"}[key%3], Ref: []string{"", "1", "11", "a\tb"}[key%4], MessageID: []string{"", "<1@x>"}[key%2],
			Ending: spool.Ending(oneOf("delivered", "failed", "bounced").Draw(t, "ending")),
			Last:   spool.Outcome{Reply: spool.Reply{Server: oneOf("1", "2").Draw(t, "server"), Text: oneOf("", "ann@example.net", "\tA\t").Draw(t, "text")}},
		}
	})
}

func smallQuery() *rapid.Generator[spool.HistoryQuery] {
	return rapid.Custom(func(t *rapid.T) spool.HistoryQuery {
		q := spool.HistoryQuery{
			Recipient: oneOf("", "", "ANN@example.NET", "ann", "@X.example", "ä", `\b`, "<>").Draw(t, "recipient"),
			Sender:    oneOf("", "", "l@x.example", "<>", "x").Draw(t, "sender"), Ref: oneOf("", "", "1", "a\tb").Draw(t, "ref"),
			Server: oneOf("", "", "1").Draw(t, "server"),
		}
		for _, id := range rapid.SliceOfN(oneOf("A", "A-1", "B1", "C"), 0, 2).Draw(t, "ids") {
			q.IDs = append(q.IDs, spool.ID(id))
		}
		for _, e := range rapid.SliceOfN(oneOf("delivered", "bounced"), 0, 1).Draw(t, "endings") {
			q.Endings = append(q.Endings, spool.Ending(e))
		}
		if rapid.Bool().Draw(t, "since") {
			q.Since, q.Until = today.Add(-6*time.Minute), today.Add(-2*time.Minute)
		}
		if rapid.IntRange(0, 3).Draw(t, "keys") == 0 {
			q.Keys = map[string]struct{}{"<1@x>": {}, "ann@example.net": {}}
		}
		return q
	})
}
