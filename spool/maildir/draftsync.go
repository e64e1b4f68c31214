package maildir

import (
	"errors"
	"sync"
)

// syncers is how many files of a batch are synced at a time: enough that a
// journalling file system puts their commits together.
const syncers = 16

// syncDrafts makes bodies and sidecars durable. All are in flight at once, so that
// one journal commit can serve many: a message costs one wait, not two.
func syncDrafts(drafts []*draft) error {
	var wg sync.WaitGroup
	errs := make([]error, min(syncers, len(drafts)*2))
	for w := range errs {
		work := func() {
			for i := w; i < len(drafts)*2; i += len(errs) {
				d := drafts[i/2]
				if i%2 == 0 {
					errs[w] = errors.Join(errs[w], d.body.Sync())
				} else {
					errs[w] = errors.Join(errs[w], d.side.Sync())
				}
			}
		}
		if w == len(errs)-1 {
			work()
			break
		}
		wg.Go(work)
	}
	wg.Wait()
	return errors.Join(errs...)
}
