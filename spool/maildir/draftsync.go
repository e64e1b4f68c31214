package maildir

import (
	"errors"
	"sync"

	"notices/spool/internal/durable"
)

// syncers is how many files of a batch are synced at a time: enough that a
// journalling file system puts their commits together.
const syncers = 16

// syncDrafts makes bodies and sidecars durable. Their writing begins at once, so that
// a message costs about one wait, not two. One message is synced without another
// thread: to start one costs an enqueue more than it saves.
func syncDrafts(drafts []*draft) error {
	files := make([]durable.File, 0, 2*len(drafts))
	for _, d := range drafts {
		files = append(files, d.body, d.side)
	}
	for _, f := range files {
		f.StartSync()
	}
	if len(drafts) == 1 {
		return syncEach(files)
	}
	var wg sync.WaitGroup
	errs := make([]error, min(syncers, len(files)))
	for w := range errs {
		share := files[w*len(files)/len(errs) : (w+1)*len(files)/len(errs)]
		wg.Go(func() { errs[w] = syncEach(share) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func syncEach(files []durable.File) error {
	var failed error
	for _, f := range files {
		if err := f.Sync(); err != nil {
			failed = err
		}
	}
	return failed
}
