package flush

import (
	"iter"

	"notices/spool"
)

// entryList is a list of entries that grows without being copied. With a million due
// messages, the old and the new copy would take more memory than the messages.
type entryList struct {
	chunks [][]spool.Entry
	n      int
}

const chunkSize = 4096

func (l *entryList) add(entries ...spool.Entry) {
	for _, e := range entries {
		last := l.n / chunkSize
		if last == len(l.chunks) {
			// The first chunk starts small, because most runs find little.
			l.chunks = append(l.chunks, make([]spool.Entry, 0, min(chunkSize, 8+last*chunkSize)))
		}
		l.chunks[last] = append(l.chunks[last], e)
		l.n++
	}
}

func (l *entryList) at(i int) *spool.Entry { return &l.chunks[i/chunkSize][i%chunkSize] }

func (l *entryList) all() iter.Seq[spool.Entry] {
	return func(yield func(spool.Entry) bool) {
		for i := range l.n {
			if !yield(*l.at(i)) {
				return
			}
		}
	}
}

// shuffle puts the list into random order; random is that of Options.
func (l *entryList) shuffle(random func(n int64) int64) {
	for i := l.n - 1; i > 0; i-- {
		a, b := l.at(i), l.at(int(random(int64(i)+1)))
		*a, *b = *b, *a
	}
}

// remove removes the entries that match, and returns them. Nothing can be added after it.
func (l *entryList) remove(match func(*spool.Entry) bool) (removed entryList) {
	n := 0
	for i := range l.n {
		if e := l.at(i); match(e) {
			removed.add(*e)
		} else {
			*l.at(n) = *e
			n++
		}
	}
	l.n = n
	return removed
}
