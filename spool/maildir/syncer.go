package maildir

import (
	"errors"
	"io/fs"
	"sync"
	"time"

	"notices/spool/internal/durable"
)

// syncDelay is "soon": how much of what was done a power cut may undo.
const syncDelay = time.Second

// syncBatch ends the wait early: each thing that waits keeps a descriptor open, and
// some systems still grant a process no more than 1,024.
const syncBatch = 512

// syncer gathers what is to be durable soon: bodies whose sidecar is gone, which
// go after one sync of their folder, and sidecars to sync and close.
type syncer struct {
	fs durable.FS

	mu      sync.Mutex
	bodies  []goneBody
	files   []durable.File
	timer   *time.Timer
	failure error // of a round in the background, for the next flush

	round sync.Mutex // one at a time; flush waits for the one under way
}

// goneBody is a body whose sidecar is unlinked. Its lock is held to the end: others
// that find it know that somebody is about to sweep it.
type goneBody struct {
	path string
	file durable.File
}

func (y *syncer) addBody(b goneBody) { y.add(func() { y.bodies = append(y.bodies, b) }) }

func (y *syncer) addFile(f durable.File) { y.add(func() { y.files = append(y.files, f) }) }

func (y *syncer) add(put func()) {
	y.mu.Lock()
	put()
	n := len(y.bodies) + len(y.files)
	switch {
	case n == 1 || y.timer == nil:
		y.timer = time.AfterFunc(syncDelay, y.background)
	case n >= syncBatch && y.timer.Stop():
		y.timer = time.AfterFunc(0, y.background)
	}
	y.mu.Unlock()
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
	return errors.Join(syncFiles(files), y.dropBodies(bodies))
}

func syncFiles(files []durable.File) error {
	var failed error
	for _, f := range files {
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			failed = err
		}
	}
	return failed
}

// dropBodies removes bodies once it is sure that their sidecars stay away. When
// that sync fails they stay: swept by a later run, or still a message.
func (y *syncer) dropBodies(bodies []goneBody) error {
	if len(bodies) == 0 {
		return nil
	}
	failed := y.fs.SyncDir(curDir)
	synced := failed == nil
	for _, b := range bodies {
		if synced {
			if err := y.fs.Unlink(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = err
			}
		}
		b.file.Close()
	}
	return failed
}
