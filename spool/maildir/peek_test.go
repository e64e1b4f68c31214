package maildir

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"notices/spool"
)

// TestLookThenRead: the message is opened when it is read from; by then it may have
// left, and once closed it stays closed.
func TestLookThenRead(t *testing.T) {
	s := open(t)
	put(t, s, theID, theBody)
	e, err := spool.FindOne(t.Context(), s, theID)
	must(t, err)
	look := func() spool.Body {
		t.Helper()
		_, body, err := s.Peek(t.Context(), e)
		must(t, err)
		if body.Size() != int64(len(theBody)) {
			t.Errorf("%d octets", body.Size())
		}
		return body
	}
	opened, unopened, closed := look(), look(), look()
	got := make([]byte, len(theBody))
	if n, err := opened.ReadAt(got, 0); n != len(got) || err != nil && err != io.EOF || !bytes.Equal(got, theBody) {
		t.Fatal(n, err)
	}
	must(t, closed.Close())
	must(t, removeNow(s))
	for _, body := range []spool.Body{opened, unopened} { // another message may have the file by now
		if _, err := body.ReadAt(got, 0); !errors.Is(err, spool.ErrGone) {
			t.Errorf("what has left: %v", err)
		}
	}
	if _, err := closed.ReadAt(got, 0); err == nil {
		t.Error("what was closed can be read")
	}
	must(t, errors.Join(opened.Close(), unopened.Close()))
}
