package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2"
)

func synctestRun(t *testing.T, f func(*testing.T)) { t.Helper(); synctest.Test(t, f) }

// Returns are flagged as seen, other mail stays as it is, and none of it is read again.
func TestReadOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.put("INBOX", "one", "", "two", "")
		w.run(4)
		w.wantCount("INBOX", "4, 2 unseen")
		w.run(0)
		w.put("INBOX", "", "three")
		w.run(2)
		w.wantCount("INBOX", "6, 3 unseen")
		if len(w.sink.recorded) != 3 {
			w.t.Errorf("%v", w.sink.recorded)
		}
	})
}

// Returns are moved to a folder that does not exist yet, with and without MOVE and UIDPLUS.
func TestMove(t *testing.T) {
	for name, c := range map[string]struct {
		caps        imap.CapSet
		inbox, gone string
	}{
		"MOVE":    {imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapMove: {}}, "1, 1 unseen", "2, 0 unseen"},
		"UIDPLUS": {imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}}, "1, 1 unseen", "2, 0 unseen"},
		// They stay, marked as deleted: an EXPUNGE would remove what others marked, too.
		"old": {imap.CapSet{imap.CapIMAP4rev1: {}}, "3, 1 unseen", "2, 0 unseen"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.caps, w.reading.MoveTo = c.caps, "Returns/read"
				w.put("INBOX", "one", "", "two")
				w.run(3)
				w.wantCount("INBOX", c.inbox)
				w.wantCount("Returns/read", c.gone)
				w.run(0)
			})
		})
	}
}

// A copy that fails must not lose the message.
func TestCopyFails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.caps = imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}}
		w.reading.MoveTo = "INBOX" // the server refuses that
		w.put("INBOX", "one", "two")
		_, err := w.reading.Run(w.t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Reason != Refused || !strings.Contains(e.Text, `moving messages to "INBOX": `) {
			w.t.Errorf("%v", err)
		}
		w.wantCount("INBOX", "2, 0 unseen")
	})
}

// What cannot be marked is recorded all the same, and marked by a later run.
func TestMarkedLater(t *testing.T) {
	inWorld(t, func(w *world) {
		w.reading.MoveTo = "INBOX" // the server refuses that
		for i := range 250 {
			w.put("INBOX", fmt.Sprint(i))
		}
		if n, err := w.reading.Run(w.t.Context()); n != 250 || err == nil || len(w.sink.recorded) != 250 {
			w.t.Errorf("%d, %v", n, err)
		}
		w.reading.MoveTo = "Read"
		w.put("INBOX", "last")
		w.run(251)
		w.wantCount("INBOX", "0, 0 unseen")
		w.wantCount("Read", "251, 0 unseen")
	})
}

// After the first run, what a person opened before us is read, too.
func TestSeenByAPerson(t *testing.T) {
	inWorld(t, func(w *world) {
		w.put("INBOX", "one", "")
		w.run(2)
		_, err := w.user.Append("INBOX", literal{strings.NewReader("Return: two\r\n\r\n")}, &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}})
		w.must(err)
		w.run(1)
		if w.sink.recorded["two"] != 1 {
			w.t.Errorf("%v", w.sink.recorded)
		}
	})
}

// A return that comes before its message has left the queue is read until it is known what
// it is about, at most a week long.
func TestAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.put("INBOX", "later", "", "one")
		w.run(3)
		w.run(1)
		w.put("INBOX", "two")
		w.run(2)
		w.sink.known = true
		w.run(1)
		w.wantCount("INBOX", "4, 1 unseen")
		w.run(0)
		w.sink.known = false
		w.put("INBOX", "later")
		w.run(1)
		time.Sleep(againFor - time.Minute) // on the clock of a synctest bubble
		w.run(1)
		time.Sleep(2 * time.Minute)
		w.run(0)
	})
}

// With other UIDs nothing is known of what was read: then what is not seen is read.
func TestUIDValidity(t *testing.T) {
	inWorld(t, func(w *world) {
		w.put("INBOX", "one", "")
		w.run(2)
		w.must(w.user.Delete("INBOX"))
		w.must(w.user.Create("INBOX", nil))
		w.put("INBOX", "two", "three", "")
		w.run(3)
	})
}

// A first run that finds nothing new remembers that: what comes later is read, seen or not.
func TestNothingNew(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run(0)
		for range 2 {
			_, err := w.user.Append("INBOX", literal{strings.NewReader("Return: one\r\n\r\n")}, &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}})
			w.must(err)
			w.run(1)
		}
	})
}

func TestPeek(t *testing.T) {
	inWorld(t, func(w *world) {
		w.reading.Peek, w.reading.MoveTo = true, "Read"
		w.put("INBOX", "one", "")
		w.run(2)
		w.run(2)
		w.wantCount("INBOX", "2, 2 unseen")
		w.wantCount("Read", "none")
	})
}

// Long messages are cut, and the rest of the batch is read.
func TestLongMessage(t *testing.T) {
	inWorld(t, func(w *world) {
		w.put("INBOX", "one", strings.Repeat("x", 3*MaxMessage), "two")
		w.run(3)
		if w.sink.recorded["one"]+w.sink.recorded["two"] != 2 {
			w.t.Errorf("%d recorded", len(w.sink.recorded))
		}
	})
}

// The connection is cut at every place of the conversation, and the mailbox read again:
// every return is recorded, every one is moved, and no other mail is touched.
func TestCutAnywhere(t *testing.T) {
	inWorld(t, func(w *world) {
		words := []string{"a", "", "b", "c", "", "d"}
		clean := func() {
			w.user = newUser(w)
			w.put("INBOX", words...)
			w.reading.State, w.reading.MoveTo = &memory{map[string][]byte{}}, "Read"
			w.sink.recorded, w.sink.read = map[string]int{}, nil
			w.sent, w.cutAt = 0, 0
		}
		clean()
		w.run(len(words))
		all := w.sent
		for cut := 1; cut < all; cut += 5 {
			clean()
			w.cutAt = cut
			_, err := w.reading.Run(w.t.Context())
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Reason != Lost && e.Reason != Broken) {
				w.t.Errorf("cut after %d: %v", cut, err)
			}
			w.cutAt, w.sink.read = 0, nil
			if _, err := w.reading.Run(w.t.Context()); err != nil {
				w.t.Fatalf("cut after %d, again: %v", cut, err)
			}
			if len(w.sink.recorded) != 4 || w.count("INBOX") != "2, 2 unseen" || w.count("Read") != "4, 0 unseen" {
				w.t.Fatalf("cut after %d: recorded %v, INBOX %s, Read %s", cut, w.sink.recorded, w.count("INBOX"), w.count("Read"))
			}
		}
	})
}

// A sink that fails ends the run, and nothing is marked.
func TestSinkFails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.put("INBOX", "one", "two")
		w.sink.fails = errors.New("disk full")
		if _, err := w.reading.Run(w.t.Context()); !errors.Is(err, w.sink.fails) {
			w.t.Errorf("%v", err)
		}
		w.wantCount("INBOX", "2, 2 unseen")
	})
}

func TestContext(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx, cancel := context.WithCancel(w.t.Context())
		cancel()
		if _, err := w.reading.Run(ctx); !errors.Is(err, context.Canceled) {
			w.t.Errorf("%v", err)
		}
	})
}

func TestRefusedLogin(t *testing.T) {
	inWorld(t, func(w *world) {
		w.reading.Server.Password = func(context.Context) (string, error) { return "wrong", nil }
		_, err := w.reading.Run(w.t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Reason != Login || !slices.ContainsFunc(e.Hints(), func(h string) bool { return strings.Contains(h, "app password") }) {
			w.t.Errorf("%v", err)
		}
	})
}

func TestNoFolder(t *testing.T) {
	inWorld(t, func(w *world) {
		w.reading.Folder = "Bounces"
		_, err := w.reading.Run(w.t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Reason != NoFolder || !strings.HasPrefix(err.Error(), `mail.example.org:993: opening the folder "Bounces": `) {
			w.t.Errorf("%v", err)
		}
	})
}
