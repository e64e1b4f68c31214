package maildir

import (
	"errors"

	"golang.org/x/sync/errgroup"

	"notices/spool/internal/fsys"
)

// syncers is how many files of a batch are synced at a time: enough that a
// journalling file system puts their commits together.
const parallelSyncs = 16

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
	return parallel(len(files), func(i int) error { return files[i].Sync() })
}

// inShares does n things, syncers at a time if there are more than two. All are done;
// the error of one is returned.
func parallel(n int, do func(i int) error) error {
	if n <= 2 {
		var errs [2]error
		for i := range n {
			errs[i] = do(i)
		}
		return errors.Join(errs[:]...)
	}
	var g errgroup.Group
	g.SetLimit(parallelSyncs)
	for i := range n {
		g.Go(func() error { return do(i) })
	}
	return g.Wait()
}
