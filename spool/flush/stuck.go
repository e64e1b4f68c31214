package flush

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"

	"notices/spool"
	"notices/spool/maillog"
)

// maxStuck is how many messages are remembered by their ids. Beyond it, only their number is.
const maxStuck = 500

// stuck is what a run knows of messages that cannot be worked on as they should (spool.Stuck).
// Each is logged once, not at every run, and none of them stops other mail.
type stuck struct {
	work  context.Context // of the engine
	store spool.Store
	log   *maillog.Log

	ready func() error // prepare, once

	once    sync.Once
	before  spool.Stuck       // as the last run left it
	loadErr error             // why that is not known
	waiting map[spool.ID]bool // not attempted until their result is recorded

	mu   sync.Mutex
	now  map[spool.ID]string // met in this run
	free map[spool.ID]bool   // of before, those that could be claimed
}

// load reads what earlier runs left.
func (s *stuck) load() *stuck {
	s.once.Do(func() {
		s.before, s.loadErr = spool.LoadState[spool.Stuck](s.work, s.store.State(), spool.StuckName)
		s.now, s.free, s.waiting = map[spool.ID]string{}, map[spool.ID]bool{}, map[spool.ID]bool{}
	})
	return s
}

// appendUnwritten appends results that an earlier run could not record. If that fails again,
// the message is not attempted.
func (s *stuck) appendUnwritten() {
	s.load()
	for id, event := range s.before.Unwritten {
		err := s.appendTo(id, event)
		if err == nil || errors.Is(err, spool.ErrGone) || errors.Is(err, spool.ErrDamaged) {
			continue
		}
		s.waiting[id] = true
		s.mark(id, fmt.Errorf("a server accepted it, but that cannot be recorded; it is not sent again: %w", err))
	}
}

func (s *stuck) appendTo(id spool.ID, event spool.Event) error {
	entry, err := spool.FindOne(s.work, s.store, id)
	if err != nil {
		return err
	}
	c, err := s.store.Claim(s.work, entry)
	if err != nil {
		return err
	}
	return errors.Join(c.Append(event, spool.Now), c.Release())
}

// prepare tries whether the outcome of an attempt can be recorded, and records what earlier runs
// could not.
func (s *stuck) prepare() error {
	err := s.store.Writable(s.work)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return fmt.Errorf("%w, nothing was sent: %w", ErrSpool, err)
	}
	s.appendUnwritten()
	return nil
}

// check tries what saveUnwritten may need. Without it, a result that a message's
// record cannot take would be lost.
func (s *stuck) check() error {
	err := s.load().loadErr
	if err == nil {
		err = s.store.State().Update(s.work, spool.StuckName, false, func(old []byte) ([]byte, error) { return old, nil })
	}
	if err != nil {
		err = fmt.Errorf("state/%s cannot be written, which is needed to record what servers accepted if nothing else can be: %w", spool.StuckName, err)
	}
	return err
}

// isForeign reports whether something foreign stands where a state value should be.
func isForeign(err error) bool {
	return errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.EISDIR)
}

// saveUnwritten keeps a result outside the message's record, which did not take it: what a
// server took must not be sent to it again. It drops the texts, because those of 50,000
// recipients do not fit into a small value.
func (s *stuck) saveUnwritten(id spool.ID, event spool.Event) error {
	results := event.Results
	event.Results = nil
	r := result{event: event}
	for _, a := range results {
		a.Reply = spool.Reply{Server: a.Reply.Server, Code: a.Reply.Code, At: a.Reply.At}
		r.answer(a.Outcome, a.To...)
	}
	return spool.UpdateState(s.work, s.store.State(), spool.StuckName, true, func(kept *spool.Stuck) error {
		if kept.Unwritten == nil {
			kept.Unwritten = map[spool.ID]spool.Event{}
		}
		kept.Unwritten[id] = r.event
		return nil
	})
}

// delivers reports whether the event says that somebody got the message.
func delivers(event spool.Event) bool {
	return slices.ContainsFunc(event.Results, func(a spool.Answer) bool { return a.Class == spool.Delivered && len(a.To) > 0 })
}

// mark notes a message that is stuck, or another error that recurs in each run (then id
// says what failed). It is logged if it is new.
func (s *stuck) mark(id spool.ID, err error) {
	s.load()
	s.mu.Lock()
	known := s.before.Messages[id] != "" || s.now[id] != "" || len(s.now) >= maxStuck
	s.now[id] = err.Error()
	s.mu.Unlock()
	switch {
	case known:
	case id.Valid():
		s.log.MessageTrouble(id, err, true)
	default:
		s.log.Trouble(string(id), err)
	}
}

// clear notes that a message is not stuck any more.
func (s *stuck) clear(id spool.ID) {
	if _, was := s.before.Messages[id]; was {
		s.mu.Lock()
		s.free[id] = true
		s.mu.Unlock()
	}
}

// removalError handles an error of removing a message that is done with, or of moving it to
// failed/. If nothing else can be written either, the run ends.
func (s *stuck) removalError(id spool.ID, err error) error {
	if err == nil {
		return nil
	}
	if w := s.store.Writable(s.work); w != nil {
		return spoolError(w)
	}
	s.mark(id, fmt.Errorf("it is finished and not sent again, but its files cannot be removed: %w", err))
	return nil
}

// save records which messages are stuck, if that has changed.
func (s *stuck) save() error {
	s.load()
	after, more := map[spool.ID]string{}, 0
	for id, why := range s.now {
		if len(after) < maxStuck {
			after[id] = why
		} else {
			more++
		}
	}
	if err := s.keepUnseen(after); err != nil {
		return err
	}
	if more > 0 && s.before.More == 0 {
		s.log.Trouble("the spool", fmt.Errorf("%d more messages have a problem; notices status says what to do about the first ones", more))
	}
	if maps.Equal(after, s.before.Messages) && more == s.before.More && len(s.before.Unwritten) == 0 && s.loadErr == nil {
		return nil
	}
	return spool.UpdateState(s.work, s.store.State(), spool.StuckName, false, func(kept *spool.Stuck) error {
		kept.Messages, kept.More = after, more
		for id := range s.before.Unwritten {
			if !s.waiting[id] {
				delete(kept.Unwritten, id)
			}
		}
		return nil
	})
}

// keepUnseen adds the stuck messages of earlier runs that this run did not look at and that
// are still there.
func (s *stuck) keepUnseen(after map[spool.ID]string) error {
	unseen := maps.Clone(s.before.Messages)
	maps.DeleteFunc(unseen, func(id spool.ID, _ string) bool { return s.now[id] != "" || s.free[id] || !id.Valid() })
	if len(unseen) == 0 {
		return nil
	}
	keep := func(entry spool.Entry) bool {
		if why, ok := unseen[entry.ID]; ok && len(after) < maxStuck {
			after[entry.ID] = why
		}
		return true
	}
	return errors.Join(s.store.Scan(s.work, keep), s.store.ScanFailed(s.work, keep))
}

// watchedBody is a message that remembers why it could not be read.
type watchedBody struct {
	spool.Body
	failed error
}

func (b *watchedBody) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.Body.ReadAt(p, off)
	if err != nil && err != io.EOF && b.failed == nil {
		b.failed = err
	}
	return n, err
}

// noBody replaces a message that cannot be read.
type noBody struct{}

func (noBody) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (noBody) Size() int64                       { return 0 }
func (noBody) Close() error                      { return nil }
