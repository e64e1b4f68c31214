package maildir

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/internal/simfs"
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
	if n, err := opened.ReadAt(got, 0); n != len(got) || err != nil && err != io.EOF {
		t.Errorf("what was opened in time: %d octets, %v", n, err)
	}
	if _, err := unopened.ReadAt(got, 0); !errors.Is(err, spool.ErrGone) {
		t.Errorf("what has left: %v", err)
	}
	if _, err := closed.ReadAt(got, 0); err == nil {
		t.Error("what was closed can be read")
	}
	must(t, errors.Join(opened.Close(), unopened.Close()))
}

// TestOneBlockIsAsGoodAsAll: reading the first block alone and reading the whole
// sidecar give the same, wherever the block ends in it and whatever is behind.
func TestOneBlockIsAsGoodAsAll(t *testing.T) {
	env := testEnvelope()
	for extra := range 40 {
		env.Ref = string(bytes.Repeat([]byte("x"), 3*extra)) // a line of an event is about 120
		line, sum, err := newLine(checksumStart, firstLine{Version: formatVersion, Envelope: env})
		must(t, err)
		whole := line
		for n := 1; len(whole) < blockSize+200; n++ {
			if n == 1 || len(whole) > blockSize-130 {
				sideIs(t, whole, nil, bytes.Repeat([]byte{'\n'}, blockSize), make([]byte, blockSize), []byte("torn"))
			}
			line, sum, err = newLine(sum, spool.Event{Kind: spool.Try, At: unixTime(1_900_000_000), N: n})
			must(t, err)
			whole = append(whole, line...)
		}
	}
}

// sideIs reads a sidecar with each of these behind its lines.
func sideIs(t *testing.T, lines []byte, behind ...[]byte) {
	t.Helper()
	for _, more := range behind {
		p := append(bytes.Clone(lines), more...)
		rec, end, sum, err := parseSidecar(p)
		must(t, err)
		got, err := readSidecar(file(t, p))
		must(t, err)
		if got.end != end || got.sum != sum || len(got.rec.Events) != len(rec.Events) {
			t.Fatalf("%d octets and %d: read to %d with %d events, want %d with %d",
				len(lines), len(more), got.end, len(got.rec.Events), end, len(rec.Events))
		}
		if got.room > int64(len(p)) || got.room < end {
			t.Fatalf("%d octets: room for %d", len(p), got.room)
		}
	}
}

func file(t *testing.T, content []byte) fsys.File {
	t.Helper()
	disk := simfs.New()
	disk.Write("side", content)
	f, err := disk.Open(nil).Open("side", unix.O_RDONLY, 0)
	must(t, err)
	return f
}
