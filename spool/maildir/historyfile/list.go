package historyfile

import (
	"cmp"
	"context"
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

	tell   func(name, why string) // of a file that could be read the first time
	told   map[uint16]bool
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
		l.order(l.refs[i:same])
		for ; i < same; i++ {
			if more := l.entry(l.refs[i], yield); ctx.Err() != nil || !more {
				return ctx.Err()
			}
		}
	}
	return nil
}

// entry reads one entry and yields it, if the query chooses it.
func (l *list) entry(r ref, yield func(*spool.HistoryEntry) bool) (more bool) {
	if !l.line(r) {
		return true
	}
	e := l.cells.entry()
	return !l.q.Chooses(&e) || yield(&e)
}

// order sorts refs of one second by id and index.
func (l *list) order(refs []ref) {
	if len(refs) == 1 {
		return
	}
	type named struct {
		id    spool.ID
		index int
		ref   ref
	}
	slices.SortFunc(refs, func(a, b ref) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.at, b.at)) })
	list := make([]named, len(refs))
	for i, r := range refs {
		list[i].ref = r
		if l.line(r) {
			list[i] = named{spool.ID(l.cells.text(cellID)), l.cells.number(cellIndex), r}
		}
	}
	slices.SortFunc(list, func(a, b named) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.index, b.index)) })
	for i := range list {
		refs[i] = list[i].ref
	}
}

// line reads the cells of a line; false: its file was removed meanwhile, or cannot be read any
// more, which is told once.
func (l *list) line(r ref) bool {
	if r.file != l.of || r.at < l.from || r.at+int64(r.length) > l.from+int64(len(l.window)) {
		if err := l.move(r); err != nil {
			l.tellOnce(r.file, err)
			return false
		}
	}
	at := r.at - l.from
	if at+int64(r.length) > int64(len(l.window)) {
		return false // the file was cut off
	}
	text := l.window[at : at+int64(r.length)][lines.SumDigits+1:] // the search has checked it
	return l.cells.split(text) && l.cells.valid()
}

func (l *list) tellOnce(file uint16, err error) {
	if ignoreMissing(err) == nil || l.told[file] {
		return
	}
	if l.told == nil {
		l.told = map[uint16]bool{}
	}
	l.told[file] = true
	name := Dir + "/" + l.days[file]
	l.tell(name, notShown+l.log.explain(err, name).Error())
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
