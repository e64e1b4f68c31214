package maildir

import (
	"errors"
	"sync"
	"time"

	"notices/spool/internal/fsys"
	"notices/spool/maildir/historyfile"
	"notices/spool/maildir/imports"
	"notices/spool/maildir/reuse"
)

// syncDelay is "soon": how much of what was done a power cut may undo.
const syncDelay = time.Second

// syncBatch ends the wait early, and bounds it for those who bring more. A folder of
// many names is slow to sync, so the more share it the better. But each thing that
// waits keeps a descriptor open, and twice as many are open while a round is under way. Some
// systems still grant a process no more than 1,024, so at most a third of them is used.
const syncBatch = 4096

// syncer gathers what is to be durable soon: bodies whose sidecar is gone, which
// go after one sync of their folder, and sidecars to sync and close.
type syncer struct {
	fs      fsys.FS
	journal imports.Journal
	history *historyfile.Log
	pool    reuse.Pool

	mu      sync.Mutex
	batch   int // syncBatch, or what the system allows; 0: not known yet
	bodies  []removedBody
	files   []fsys.File
	timer   *time.Timer
	failure error // of a round in the background, for the next flush

	round sync.Mutex // one at a time; flush waits for the one under way
}

// removedBody is a body whose sidecar has gone. Its lock is held to the end: others that
// find it know that it is about to be removed.
type removedBody struct {
	dir, path string
	file      fsys.File
	left      imports.Message // its sidecar is in import, if it was imported
}

func (y *syncer) addBody(b removedBody) { y.add(func() { y.bodies = append(y.bodies, b) }) }

func (y *syncer) addFile(f fsys.File) { y.add(func() { y.files = append(y.files, f) }) }

// addHistory has the history synced in the next round.
func (y *syncer) addHistory() { y.add(func() {}) }

func (y *syncer) add(put func()) {
	for !y.tryAdd(put) {
		// A round is under way and enough waits for the next one.
		y.background()
	}
}

func (y *syncer) tryAdd(put func()) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.batch == 0 {
		y.batch = min(syncBatch, max(1, fsys.OpenFiles()/3))
	}
	n := len(y.bodies) + len(y.files)
	if n >= y.batch {
		return false
	}
	put()
	switch {
	case y.timer == nil:
		y.timer = time.AfterFunc(syncDelay, y.background)
	case n+1 == y.batch && y.timer.Stop():
		y.timer = time.AfterFunc(0, y.background)
	}
	return true
}

func (y *syncer) background() {
	if err := y.run(); err != nil {
		y.mu.Lock()
		y.failure = errors.Join(y.failure, err)
		y.mu.Unlock()
	}
}

// flush does a round now and reports what earlier ones met.
func (y *syncer) flush() error {
	err := y.run()
	y.mu.Lock()
	defer y.mu.Unlock()
	err = errors.Join(y.failure, err)
	y.failure = nil
	return err
}

// backgroundError is what a round in the background met and flush has not reported yet.
func (y *syncer) backgroundError() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.failure
}

func (y *syncer) run() error {
	y.round.Lock()
	defer y.round.Unlock()
	y.mu.Lock()
	bodies, files := y.bodies, y.files
	y.bodies, y.files = nil, nil
	if y.timer != nil {
		y.timer.Stop()
		y.timer = nil
	}
	y.mu.Unlock()
	_ = y.history.Sync() // before the removals that it tells of are; HistoryError has the error
	err := fsys.SyncAll(files)
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	left := make([]imports.Message, len(bodies))
	for i, b := range bodies {
		left[i] = b.left
	}
	_ = y.journal.HandOver(left) // else their sidecars stay for the next import
	return errors.Join(err, y.dropBodies(bodies, curDir), y.dropBodies(bodies, failedDir))
}

// dropBodies removes the bodies in a folder once it is sure that their sidecars stay
// away. When that sync fails they stay: swept by a later run, or still a message.
func (y *syncer) dropBodies(bodies []removedBody, dir string) error {
	var these []removedBody
	for _, b := range bodies {
		if b.dir == dir {
			these = append(these, b)
		}
	}
	var err error
	switch {
	case dir == curDir && (len(these) > 0 || y.pool.Leaving()):
		err = y.syncCur()
	case len(these) > 0:
		err = y.fs.SyncDir(dir)
	}
	if err != nil {
		for _, b := range these {
			b.file.Close()
		}
		return err
	}
	return fsys.Parallel(len(these), func(i int) error {
		err := ignoreMissing(y.fs.Unlink(these[i].path))
		these[i].file.Close() // it is now that the system frees its blocks, which takes time
		return err
	})
}

// syncCur syncs cur, which all that is kept for reuse waits for, too.
func (y *syncer) syncCur() error {
	stage := y.pool.Begin()
	err := y.fs.SyncDir(curDir)
	y.pool.End(stage, err == nil)
	return err
}
