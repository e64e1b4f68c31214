//go:build peers

package buffer_test

import (
	"slices"
	"testing"

	"notices/spool"
	"notices/spool/buffer"
	"notices/spool/history"
	"notices/spool/internal/simfs"
	"notices/spool/postgres"
	"notices/spool/records"
)

// TestViewOfCopies: three messages are in the folder. One is in the database, too, one has left the
// database, and one was never there. Only the last counts as the folder's, with a history and without.
func TestViewOfCopies(t *testing.T) {
	const in, left, never = spool.ID("0000000000000001"), spool.ID("0000000000000002"), spool.ID("0000000000000003")
	for _, mark := range []bool{false, true} {
		db := open(t, postgres.Options{URL: server.URL(newDatabase(t)), NoHistory: mark})
		folder := onDisk(t, simfs.New().Open(nil))
		s := &buffer.Store{Database: always(db), Folder: always(folder), Mark: mark}
		must(t, handIn(s, left, 10))
		deliver(t, db, map[spool.ID]int{})
		must(t, handIn(s, in, 10))
		for _, id := range []spool.ID{in, left, never} {
			must(t, handIn(folder, id, 10))
		}
		v := buffer.NewView(db, folder)
		list, err := records.ListAll(t.Context(), v, func(spool.Entry) bool { return true })
		must(t, err)
		var got []spool.ID
		for _, e := range list {
			got = append(got, e.ID)
		}
		if slices.Sort(got); !slices.Equal(got, []spool.ID{in, never}) {
			t.Errorf("mark %t: listed: %v", mark, got)
		}
		found, err := v.Find(t.Context(), in, left, never)
		if must(t, err); len(found) != 2 || found[left].ID != "" {
			t.Errorf("mark %t: found: %v", mark, found)
		}
		w, err := v.Count(t.Context(), "/spool")
		if must(t, err); w.Messages != 1 || !w.Oldest.Equal(start) {
			t.Errorf("mark %t: counted: %+v", mark, w)
		}
		rows := map[spool.ID]int{}
		_, err = history.Search(t.Context(), v, spool.HistoryQuery{}, func(r *history.Row) bool { rows[r.ID]++; return true })
		must(t, err)
		if rows[in] != 1 || rows[never] != 1 || rows[left] != 1 && !mark || rows[left] != 0 && mark {
			t.Errorf("mark %t: rows: %v", mark, rows)
		}
		must(t, v.Close())
	}
}
