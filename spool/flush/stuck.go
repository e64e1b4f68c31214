package flush

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"sync"
	"syscall"

	"notices/spool"
)

// maxStuck is how many messages are remembered by their ids; of more, how many.
const maxStuck = 500

// stuck is what a run knows of messages that are in trouble themselves (spool.Stuck): each
// is told of once, not at every run, and none of them stops other mail.
type stuck struct {
	once    sync.Once
	before  spool.Stuck // as the last run left it
	unread  error       // why that is not known
	waiting map[spool.ID]bool

	mu   sync.Mutex
	now  map[spool.ID]string // met in this run
	free map[spool.ID]bool   // of before, those that could be claimed
}

// recall reads what earlier runs left.
func (e *engine) recall() *stuck {
	s := &e.stuck
	s.once.Do(func() {
		var err error
		s.before, err = spool.LoadState[spool.Stuck](e.work, e.store.State(), spool.StuckName)
		if s.unread = err; err != nil {
			s.before = spool.Stuck{}
		}
		s.now, s.free, s.waiting = map[spool.ID]string{}, map[spool.ID]bool{}, map[spool.ID]bool{}
	})
	return s
}

// writeLate writes results down that an earlier run could not. A message whose record
// still does not take it is not attempted.
func (e *engine) writeLate() {
	s := e.recall()
	for id, event := range s.before.Unwritten {
		err := e.appendLate(id, event)
		if err == nil || errors.Is(err, spool.ErrGone) || errors.Is(err, spool.ErrDamaged) {
			continue
		}
		s.waiting[id] = true
		e.stick(id, fmt.Errorf("a server took it, and that cannot be written down: it is not sent again: %w", err))
	}
}

func (e *engine) appendLate(id spool.ID, event spool.Event) error {
	entry, err := spool.FindOne(e.work, e.store, id)
	if err != nil {
		return err
	}
	c, err := e.store.Claim(e.work, entry)
	if err != nil {
		return err
	}
	return errors.Join(c.Append(event, spool.Now), c.Release())
}

// tryApart tries what keepApart will need: where that cannot be written, a result that a
// message's own record does not take would be lost.
func (e *engine) tryApart() error {
	s := e.recall()
	err := s.unread
	if err == nil {
		err = e.store.State().Update(e.work, spool.StuckName, false, func(old []byte) ([]byte, error) { return old, nil })
	}
	if err != nil {
		err = fmt.Errorf("what servers took is written down in state/%s if nowhere else: %w", spool.StuckName, err)
	}
	return err
}

// isForeign reports whether something that is not of notices stands in the way of a value.
func isForeign(err error) bool {
	return errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.EISDIR)
}

// keepApart keeps a result beside the messages, because the message's own record did not
// take it: what a server took must not be sent to it again.
func (j *job) keepApart(event spool.Event) error {
	return spool.UpdateState(j.engine.work, j.engine.store.State(), spool.StuckName, true, func(s *spool.Stuck) error {
		if s.Unwritten == nil {
			s.Unwritten = map[spool.ID]spool.Event{}
		}
		s.Unwritten[j.id()] = withoutTexts(event)
		return nil
	})
}

// withoutTexts makes a result short: what 50,000 recipients were told in as many words fits
// into no small value.
func withoutTexts(event spool.Event) spool.Event {
	results := event.Results
	event.Results = nil
	f := folded{event: event}
	for _, a := range results {
		a.Reply = spool.Reply{Server: a.Reply.Server, Code: a.Reply.Code, At: a.Reply.At}
		f.answer(a.Outcome, a.To...)
	}
	return f.event
}

// delivers reports whether somebody got the message by that event.
func delivers(event spool.Event) bool {
	for i := range event.Results {
		if event.Results[i].Class == spool.Delivered && len(event.Results[i].To) > 0 {
			return true
		}
	}
	return false
}

// stick notes a message that is in trouble itself, or what else is met in each run. It is
// told of when that is new.
func (e *engine) stick(id spool.ID, err error) {
	s := e.recall()
	s.mu.Lock()
	known := s.before.Messages[id] != "" || s.now[id] != "" || len(s.now) >= maxStuck
	s.now[id] = err.Error()
	s.mu.Unlock()
	switch {
	case known:
	case id.Valid():
		e.Log.Stuck(id, err)
	default:
		e.Log.Trouble(string(id), err)
	}
}

// cannotLeave is for a message that is done with, on record, and cannot be removed or
// moved. If nothing else can be written either, the run ends.
func (j *job) cannotLeave(err error) error {
	if w := j.engine.store.Writable(j.engine.work); w != nil {
		return unwritable(w)
	}
	j.engine.stick(j.id(), fmt.Errorf("it is done with and not sent again, but its files cannot be removed: %w", err))
	return nil
}

// claimed notes that a message is not in trouble any more.
func (e *engine) claimed(id spool.ID) {
	s := &e.stuck
	if _, was := s.before.Messages[id]; was {
		s.mu.Lock()
		s.free[id] = true
		s.mu.Unlock()
	}
}

// remember writes down which messages are in trouble, if they are others than before.
func (e *engine) remember() error {
	s := e.recall()
	after, more := map[spool.ID]string{}, 0
	for id, why := range s.now {
		if len(after) < maxStuck {
			after[id] = why
		} else {
			more++
		}
	}
	if err := e.keepUnseen(after); err != nil {
		return err
	}
	if more > 0 && s.before.More == 0 {
		e.Log.Trouble("the spool", fmt.Errorf("%d more messages are in trouble; notices status says what to do about the first", more))
	}
	if maps.Equal(after, s.before.Messages) && more == s.before.More && len(s.before.Unwritten) == 0 && s.unread == nil {
		return nil
	}
	return spool.UpdateState(e.work, e.store.State(), spool.StuckName, false, func(kept *spool.Stuck) error {
		kept.Messages, kept.More = after, more
		for id := range s.before.Unwritten {
			if !s.waiting[id] {
				delete(kept.Unwritten, id)
			}
		}
		return nil
	})
}

// keepUnseen keeps of the messages of earlier runs those that this one had no reason to
// look at, and which are still there.
func (e *engine) keepUnseen(after map[spool.ID]string) error {
	s := &e.stuck
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
	return errors.Join(e.store.Scan(e.work, keep), e.store.ScanFailed(e.work, keep))
}

// watchedBody is a message that keeps why it could not be read.
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

// noBody takes the place of a message that cannot be read.
type noBody struct{}

func (noBody) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (noBody) Size() int64                       { return 0 }
func (noBody) Close() error                      { return nil }
