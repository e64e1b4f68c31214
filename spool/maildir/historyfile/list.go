package historyfile

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/lines"
)

// list is the second reading: of the lines that were found, in their order.
type list struct {
	log  *Log
	q    *spool.HistoryQuery
	days []string
	refs []ref

	open   map[uint16]fsys.File
	window []byte // of a file, since neighbours are often read together
	of     uint16 // which file
	from   int64  // where in it
	cells  cells
}

const (
	maxOpen    = 64      // files open at a time
	windowSize = 8 << 10 // octets
)

// yield reads the entries and calls yield for those that the query chooses. Those queued in the
// same second are put in order first.
func (l *list) yield(ctx context.Context, yield func(*spool.HistoryEntry) bool) error {
	for i := 0; i < len(l.refs); {
		same := i + 1
		for same < len(l.refs) && l.refs[same].queued == l.refs[i].queued {
			same++
		}
		if err := l.order(l.refs[i:same]); err != nil {
			return err
		}
		for ; i < same; i++ {
			more, err := l.entry(l.refs[i], yield)
			if err = errors.Join(err, ctx.Err()); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// entry reads one entry and yields it, if the query chooses it.
func (l *list) entry(r ref, yield func(*spool.HistoryEntry) bool) (more bool, err error) {
	ok, err := l.line(r)
	if err != nil || !ok {
		return err == nil, err
	}
	e := l.cells.entry()
	return !l.q.Chooses(&e) || yield(&e), nil
}

// order sorts refs of one second by id and index.
func (l *list) order(refs []ref) error {
	if len(refs) == 1 {
		return nil
	}
	type named struct {
		id    spool.ID
		index int
		ref   ref
	}
	slices.SortFunc(refs, func(a, b ref) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.at, b.at)) })
	list := make([]named, len(refs))
	for i, r := range refs {
		if _, err := l.line(r); err != nil {
			return err
		}
		list[i] = named{spool.ID(l.cells.text(cellID)), l.cells.number(cellIndex), r}
	}
	slices.SortFunc(list, func(a, b named) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.index, b.index)) })
	for i := range list {
		refs[i] = list[i].ref
	}
	return nil
}

// line reads the cells of a line; false: its file was removed meanwhile.
func (l *list) line(r ref) (bool, error) {
	if r.file != l.of || r.at < l.from || r.at+int64(r.length) > l.from+int64(len(l.window)) {
		if err := l.move(r); err != nil {
			return false, ignoreMissing(err)
		}
	}
	at := r.at - l.from
	if at+int64(r.length) > int64(len(l.window)) {
		return false, nil // the file was cut off
	}
	text := l.window[at : at+int64(r.length)][lines.SumDigits+1:] // the search has checked it
	return l.cells.split(text) && l.cells.valid(), nil
}

// move fills the window with the part of a file that has a line.
func (l *list) move(r ref) error {
	l.window = l.window[:0]
	f := l.open[r.file]
	if f == nil {
		if len(l.open) == maxOpen {
			l.close()
		}
		var err error
		if f, err = l.log.FS.Open(Dir+"/"+l.days[r.file], unix.O_RDONLY, 0); err != nil {
			return err
		}
		if l.open == nil {
			l.open = map[uint16]fsys.File{}
		}
		l.open[r.file] = f
	}
	from := r.at / windowSize * windowSize
	size := max(windowSize, int(r.at-from)+int(r.length))
	if cap(l.window) < size {
		l.window = make([]byte, 0, size)
	}
	n, err := f.ReadAt(l.window[:size], from)
	if err != nil && err != io.EOF {
		return err
	}
	l.window, l.of, l.from = l.window[:n], r.file, from
	return nil
}

func (l *list) close() {
	for _, f := range l.open {
		f.Close()
	}
	l.open = nil
}
