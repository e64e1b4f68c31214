package maildir

import (
	"context"
	"errors"
	"time"

	"notices/spool"
	"notices/spool/maildir/advice"
	"notices/spool/maildir/historyfile"
)

// addHistory adds what became of the message. The message leaves all the same if that fails:
// HistoryError has the error.
func (c *claim) addHistory(last spool.Event) {
	if !c.s.history.Off {
		_ = c.s.history.Add(c.side.Record.Endings(last, c.s.history.Now()))
	}
}

// past are the methods of a Store about its history.
type past struct {
	at      folders
	history *historyfile.Log
}

// History searches the files in history.
func (s past) History(ctx context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error) {
	return s.history.Search(ctx, q, yield)
}

// AddHistory adds entries of messages that have left.
func (s past) AddHistory(_ context.Context, entries ...spool.HistoryEntry) error {
	return errors.Join(s.history.Add(entries), s.history.Sync())
}

// ForgetHistory removes the files of days that had ended by then.
func (s past) ForgetHistory(ctx context.Context, before time.Time) error {
	return s.history.Forget(ctx, before)
}

// HistoryError is the first error of adding to the history since the last call, with what
// repairs it.
func (s past) HistoryError() error { return s.history.Err() }

// CheckHistory looks whether the history can be read and written, without writing.
func (s past) CheckHistory() error {
	err := s.history.Check()
	if repair := advice.Mode(s.at.FS, s.at.dir, historyfile.Dir); err == nil && repair != "" && !s.history.Off {
		err = errors.New(repair)
	}
	return err
}
