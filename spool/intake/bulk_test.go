package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/maildir"
)

// counter is a spool on disk that imports go to.
type counter struct {
	t     *testing.T
	store *maildir.Store
	dir   string
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spool")
	store, err := maildir.Open(dir, maildir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &counter{t, store, dir}
}

// imports is one run over some messages, which queues in batches of two.
func (c *counter) imports(again *Again, messages ...string) (queued, before, refused int) {
	c.t.Helper()
	ctx := c.t.Context()
	known, release, err := c.store.Imported(ctx, now.Add(-time.Hour))
	if err != nil {
		c.t.Fatal(err)
	}
	defer release()
	b := (&Intake{Store: c.store, Site: site, Now: func() time.Time { return now }}).Bulk(sha256.New, known, again)
	commit := func() {
		ids, err := b.Commit(ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		queued += len(ids)
	}
	for _, m := range messages {
		known, err := b.Add(ctx, Request{Body: strings.NewReader(m)})
		switch {
		case errors.As(err, new(*Error)):
			refused++
		case err != nil:
			c.t.Fatal(err)
		case known:
			before++
		}
		if len(b.drafts) == 2 {
			commit()
		}
	}
	commit()
	return queued, before, refused
}

// wants checks the counts of a run, and what is in the spool after it.
func (c *counter) wants(what string, inSpool int, want [3]int, again *Again, messages ...string) {
	c.t.Helper()
	var got [3]int
	got[0], got[1], got[2] = c.imports(again, messages...)
	if got != want {
		c.t.Errorf("%s: queued, queued before, refused: %d, want %d", what, got, want)
	}
	found := 0
	if err := c.store.Scan(c.t.Context(), func(spool.Entry) bool { found++; return true }); err != nil {
		c.t.Fatal(err)
	}
	if found != inSpool {
		c.t.Errorf("%s: %d messages in the spool, want %d", what, found, inSpool)
	}
}

// take removes all messages, as a flush that delivers them.
func (c *counter) take() {
	c.t.Helper()
	var all []spool.Entry
	err := c.store.Scan(c.t.Context(), func(e spool.Entry) bool { all = append(all, e); return true })
	for _, e := range all {
		claim, err := c.store.Claim(c.t.Context(), e)
		if err == nil {
			err = claim.Remove(spool.Event{}, spool.Now)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func sample(n int, size int) string {
	return fmt.Sprintf("To: patron%d@example.net\nSubject: %d\n\n", n, n) + strings.Repeat("A line.\n", size/8)
}

func TestBulkQueuesOnce(t *testing.T) {
	c := newCounter(t)
	a, b := sample(1, 100), sample(2, 100)
	c.wants("equal messages in one run", 3, [3]int{3, 0, 0}, nil, a, b, a)
	c.wants("run again", 3, [3]int{0, 3, 0}, nil, a, b, a)
	c.wants("in another order", 3, [3]int{0, 3, 0}, nil, a, a, b)
	c.wants("one more of the same", 4, [3]int{1, 3, 0}, nil, a, b, a, a)
	c.take()
	c.wants("after all were sent", 1, [3]int{1, 4, 0}, nil, a, b, a, a, sample(3, 100))
	c.wants("again", 6, [3]int{5, 0, 0}, &Again{1}, a, b, a, a, sample(3, 100))
	c.wants("after again", 6, [3]int{0, 4, 0}, nil, a, b, a, a)
}

// TestBulkLarge: that a message longer than what is kept in memory is known shows at
// its end; its draft goes then.
func TestBulkLarge(t *testing.T) {
	c := newCounter(t)
	for _, size := range []int{pieceSize, 3 * pieceSize, pieceSize - len(sample(1, 0))} {
		c.take()
		m := sample(size, size)
		c.wants("large", 2, [3]int{2, 0, 0}, nil, m, m)
		c.wants("large again", 2, [3]int{0, 2, 0}, nil, m, m)
		if left, _ := filepath.Glob(c.dir + "/tmp/*"); len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
	}
}

func TestBulkRefuses(t *testing.T) {
	c := newCounter(t)
	bad := "Subject: to nobody\n\ntext\n"
	c.wants("a bad one", 2, [3]int{2, 0, 2}, nil, sample(1, 10), bad, sample(2, 10), "no header")
	c.wants("and again", 2, [3]int{0, 2, 2}, nil, sample(1, 10), bad, sample(2, 10), "no header")
	c.wants("a large one", 3, [3]int{1, 0, 1}, nil, bad+strings.Repeat("x\n", pieceSize), sample(3, 10))
}

// TestBulkPassesOn: a disk that cannot be read and a spool that cannot be written are
// no fault of the message.
func TestBulkPassesOn(t *testing.T) {
	c := newCounter(t)
	b := (&Intake{Store: c.store, Site: site}).Bulk(sha256.New, nil, nil)
	for _, size := range []int{10, pieceSize} {
		r := io.MultiReader(strings.NewReader(sample(1, size)), iotest.ErrReader(unix.EIO))
		if _, err := b.Add(t.Context(), Request{Body: r}); !errors.Is(err, unix.EIO) || errors.As(err, new(*Error)) {
			t.Errorf("reading fails after %d octets: %v", size, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Add(ctx, Request{Body: strings.NewReader(sample(1, 2*pieceSize))}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	b.Abort()
	if left, _ := filepath.Glob(c.dir + "/tmp/*"); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}
