package maildir

import (
	"errors"
	"sync"

	"notices/spool/internal/fsys"
)

// syncers is how many files of a batch are synced at a time: enough that a
// journalling file system puts their commits together.
const syncers = 16

// syncDrafts makes bodies and sidecars durable.
func syncDrafts(drafts []*draft) error {
	files := make([]fsys.File, 0, 2*len(drafts))
	for _, d := range drafts {
		files = append(files, d.body, d.side)
	}
	return syncFiles(files)
}

// syncFiles syncs all files. Their writing begins at once, so that a message costs
// about one wait, not two. The two files of one message are synced without another
// thread: to start one costs an enqueue more than it saves.
func syncFiles(files []fsys.File) error {
	for _, f := range files {
		f.StartSync()
	}
	return inShares(len(files), func(i int) error { return files[i].Sync() })
}

// inShares does n things, syncers at a time if there are more than two. All are done;
// the errors of some are returned.
func inShares(n int, do func(i int) error) error {
	each := func(from, to int) (failed error) {
		for i := from; i < to; i++ {
			if err := do(i); err != nil {
				failed = err
			}
		}
		return failed
	}
	if n <= 2 {
		return each(0, n)
	}
	var wg sync.WaitGroup
	errs := make([]error, min(syncers, n))
	for w := range errs {
		wg.Go(func() { errs[w] = each(w*n/len(errs), (w+1)*n/len(errs)) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
