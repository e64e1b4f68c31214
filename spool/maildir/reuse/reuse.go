// Package reuse keeps the two files of messages that have left the queue, for the next ones that
// come in. A service that takes in and sends a thousand messages a second would else make and
// remove two thousand files a second, and have the file system write all that this changes: on
// ext4, that costs more than everything else that is done for a message. A file that is overwritten
// in place costs its content.
//
// What it does to names fits the table of states of package maildir: whoever finds these files after
// a kill or a power cut sweeps them.
//
//	leaving  cur/ID  tmp/.ID   the message was delivered: its sidecar was moved to tmp
//	moved    tmp/ID  tmp/.ID   after a sync of cur: no power cut can bring the sidecar back
//	free     tmp/ID  tmp/.ID   after another one: nor the body. Only now are they overwritten.
//
// All the while the body stays locked. The syncs are those that other messages need (Stage). What was
// not used again for idleTime is removed, so that mail does not stay on the disk longer than it has to.
package reuse

import (
	"sync"
	"time"

	"notices/spool/internal/fsys"
)

// MaxBody is the longest body that is kept, in octets. The blocks of a longer one are freed.
const MaxBody = 64 << 10

// Pair is the two files of a message, open for writing, and their names.
type Pair struct {
	Body, Side       fsys.File
	Message          string // the body's name in cur
	TmpBody, TmpSide string // both names in tmp
	Size, SideSize   int64  // of body and sidecar, in octets

	fs fsys.FS
}

// TakeSide gives away the sidecar, renamed, if there is one of just that size; the caller overwrites all
// of it. A sidecar of another size is removed. nil: there is none, or not any more.
func (p *Pair) TakeSide(name string, size int64) fsys.File {
	side := p.Side
	if side == nil {
		return nil
	}
	p.Side = nil
	if size == p.SideSize && p.fs.Rename(p.TmpSide, name) == nil {
		return side
	}
	_ = p.fs.Unlink(p.TmpSide) // else it is swept
	side.Close()
	return nil
}

func (p *Pair) close() {
	p.Body.Close()
	p.Side.Close()
}

// discard removes both files. What it cannot remove is swept.
func (p *Pair) discard() {
	_ = p.fs.Unlink(p.TmpSide)
	_ = p.fs.Unlink(p.TmpBody)
	p.close()
}

// Pool is the files that are kept. Its methods may be called by many goroutines.
type Pool struct {
	FS  fsys.FS
	Max int // pairs; 0: none are kept

	mu      sync.Mutex
	n       int // pairs in all states, those of stages under way included
	leaving []Pair
	moved   []Pair
	free    []Pair // the oldest first: whoever still has a file open has most time to close it
	unused  int    // the fewest pairs that were free since the last round of age
	synced  bool   // cur was, since then
	timer   *time.Timer
}

// idleTime is twice what a burst of mail may pause and still find the files.
const idleTime = 10 * time.Second

// Leave takes over the files of a message that was delivered, if there is room for them. side is the
// sidecar's name: the pair is leaving once that was renamed. It reports whether it did so.
func (l *Pool) Leave(p Pair, side string) bool {
	l.mu.Lock()
	room := l.n < l.Max
	if room {
		l.n++
	}
	l.mu.Unlock()
	if !room {
		return false
	}
	p.fs = l.FS
	err := l.FS.Rename(side, p.TmpSide)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.n--
		return false
	}
	l.leaving = append(l.leaving, p)
	if l.timer == nil {
		l.timer = time.AfterFunc(idleTime, l.age)
	}
	return true
}

// Stage is the pairs that a sync of cur brings further.
type Stage struct{ leaving, moved []Pair }

// Leaving reports whether messages have left whose bodies are still in cur.
func (l *Pool) Leaving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.leaving) > 0
}

// Begin is called before a sync of cur, and End after it.
func (l *Pool) Begin() (s Stage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s = Stage{l.leaving, l.moved}
	l.leaving, l.moved, l.synced = nil, nil, true
	return s
}

// End brings the pairs further. synced: cur was. If not, nothing is known of them; they are left for
// those who sweep.
func (l *Pool) End(s Stage, synced bool) {
	kept := s.leaving[:0]
	for _, p := range s.leaving {
		if synced && l.FS.Rename(p.Message, p.TmpBody) == nil {
			kept = append(kept, p)
		} else {
			p.close()
		}
	}
	gone := len(s.leaving) - len(kept)
	if !synced {
		for _, p := range s.moved {
			p.close()
		}
		gone, s.moved = gone+len(s.moved), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n -= gone
	l.moved = append(l.moved, kept...)
	l.free = append(l.free, s.moved...)
}

// Take gives away a free pair. Its body, renamed to body, has the size that the pair says; whoever takes
// it renames the sidecar. false: none is free.
func (l *Pool) Take(body string) (p Pair, ok bool) {
	l.mu.Lock()
	if len(l.free) > 0 {
		p, ok = l.free[0], true
		l.free = l.free[1:]
		l.unused = min(l.unused, len(l.free))
		l.n--
	}
	l.mu.Unlock()
	if ok && l.FS.Rename(p.TmpBody, body) != nil {
		p.discard()
		return Pair{}, false
	}
	return p, ok
}

// age removes what nobody needed since the last time.
func (l *Pool) age() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.discard(&l.free, l.unused)
	if !l.synced {
		l.discard(&l.moved, len(l.moved))
	}
	l.unused, l.synced = len(l.free), false
	switch {
	case l.Max == 0: // closed
	case l.n > 0:
		l.timer.Reset(idleTime)
	default:
		l.timer = nil
	}
}

// discard removes the first n pairs of a list.
func (l *Pool) discard(list *[]Pair, n int) {
	for _, p := range (*list)[:n] {
		p.discard()
	}
	*list = (*list)[n:]
	l.n -= n
}

// Close removes what is kept. All that is leaving has to be brought further before.
func (l *Pool) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Max = 0
	l.discard(&l.moved, len(l.moved))
	l.discard(&l.free, len(l.free))
	for _, p := range l.leaving {
		p.close()
	}
	l.leaving, l.unused = nil, 0
	if l.timer != nil {
		l.timer.Stop()
	}
}
