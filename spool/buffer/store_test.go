package buffer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/buffer"
	"notices/spool/faulty"
	"notices/spool/internal/simfs"
)

const theID = spool.ID("0CKRP4W3R1A9B8C7")

// sizes are those of bodies: in memory, at its edge, and beyond.
var sizes = []int{0, 1000, 256 << 10, 256<<10 + 1, 1 << 20}

// TestWhere: a message that the database takes is only there. One that it cannot take is only in the
// folder. If a person has to repair something, it is refused.
func TestWhere(t *testing.T) {
	full := fmt.Errorf("%w: %w", spool.ErrUnreachable, syscall.ENOSPC)
	wrong := fmt.Errorf("%w: password", spool.ErrMisconfigured)
	for what, c := range map[string]struct {
		open, commit error
		folder       bool
		fails        error
	}{
		"it answers":            {},
		"it is away":            {open: errAway, folder: true},
		"it goes away":          {commit: errAway, folder: true},
		"it is full":            {commit: full, folder: true},
		"its answer is lost":    {commit: spool.ErrUnsure, folder: true},
		"its password is wrong": {open: wrong, fails: spool.ErrMisconfigured},
		"the id is there":       {commit: spool.ErrExists, fails: spool.ErrExists},
	} {
		for _, size := range sizes {
			database, folder := onDisk(t, simfs.New().Open(nil)), onDisk(t, simfs.New().Open(nil))
			plan := faulty.Plan{}
			if c.commit != nil {
				plan = faulty.Plan{Err: c.commit, At: 1, Match: func(c faulty.Call) bool { return c.Method == "Commit" }}
			}
			s := &buffer.Store{Database: always(faulty.New(database, plan)), Folder: always(folder), Now: time.Now}
			if c.open != nil {
				s.Database = never(c.open)
			}
			var told []spool.ID
			s.Buffered = func(list []spool.ID, _ error) { told = append(told, list...) }
			err := handIn(s, theID, size)
			where := fmt.Sprintf("%s, %d octets: %v", what, size, err)
			if !errors.Is(err, c.fails) || c.fails == nil && err != nil {
				t.Errorf("%s, want %v", where, c.fails)
			}
			inDatabase, inFolder := len(ids(t, database)), len(ids(t, folder))
			if inFolder == 1 != c.folder || inDatabase == 1 != (!c.folder && c.fails == nil) || len(told) != inFolder {
				t.Errorf("%s: %d in the database, %d in the folder, told of %v", where, inDatabase, inFolder, told)
			}
			sent := map[spool.ID]int{}
			deliver(t, database, sent) // it checks the text
			deliver(t, folder, sent)
		}
	}
}

// TestNeither: if neither takes the message, nothing is queued, and the error names both. If the database
// may have it, the error says so.
func TestNeither(t *testing.T) {
	for _, why := range []error{errAway, spool.ErrUnsure} {
		s := &buffer.Store{Database: never(why), Folder: never(syscall.EROFS), Now: time.Now}
		err := handIn(s, theID, 100)
		if !errors.Is(err, why) || !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "folder beside the database") {
			t.Errorf("%v", err)
		}
	}
}

// TestFullFolder: a long message is written into the folder until it is complete. If the folder has no
// room for that, it is written into the database at once.
func TestFullFolder(t *testing.T) {
	for room := 0; room <= 900_000; room += 300_000 {
		database, disk := onDisk(t, simfs.New().Open(nil)), simfs.New()
		written := 0
		folder := onDisk(t, disk.Open(func(st simfs.Step) error {
			if st.Op == "write" {
				if written += 30_000; written > room {
					return syscall.ENOSPC
				}
			}
			return nil
		}))
		s := &buffer.Store{Database: always(database), Folder: always(folder), Now: time.Now}
		must(t, handIn(s, theID, 1<<20))
		if len(ids(t, database)) != 1 || len(ids(t, folder)) != 0 {
			t.Errorf("room for %d octets: %v, %v", room, ids(t, database), ids(t, folder))
		}
		deliver(t, database, map[spool.ID]int{})
	}
}

// TestWaitsOnce: a program that hands in many messages does not wait with each of them for a database
// that is away.
func TestWaitsOnce(t *testing.T) {
	now, opened := start, 0
	s := &buffer.Store{
		Database: func(context.Context) (buffer.Target, error) { opened++; return nil, errAway },
		Folder:   always(onDisk(t, simfs.New().Open(nil))),
		Now:      func() time.Time { return now },
	}
	must(t, s.Open(t.Context()))
	for i := range 60 {
		must(t, handIn(s, spool.ID(fmt.Sprintf("%016d", i)), 10))
		now = now.Add(time.Second)
	}
	if opened > 3 {
		t.Errorf("opened %d times in a minute", opened)
	}
}

// TestCount: Count says how many messages wait, and since when.
func TestCount(t *testing.T) {
	folder := onDisk(t, simfs.New().Open(nil))
	if w, err := buffer.Count(t.Context(), "/spool", folder); err != nil || w != (buffer.Waiting{Dir: "/spool"}) {
		t.Errorf("an empty one: %+v, %v", w, err)
	}
	for i := range 3 {
		must(t, handIn(folder, spool.ID(fmt.Sprintf("%016d", i)), 10))
	}
	if w, err := buffer.Count(t.Context(), "/spool", folder); err != nil || w.Messages != 3 || !w.Oldest.Equal(start) {
		t.Errorf("%+v, %v", w, err)
	}
}
