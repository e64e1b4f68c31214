package sidecar

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/internal/simfs"
	"notices/spool/maildir/lines"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testEnvelope() spool.Envelope {
	return spool.Envelope{Sender: "library@example.org", Recipients: []string{"patron@example.net"}, QueuedAt: seconds(1_900_000_000)}
}

// attempts writes a sidecar of an envelope and n attempts.
func attempts(t testing.TB, n int) []byte {
	t.Helper()
	env := testEnvelope()
	env.ID = "0CKRP4W3R1A9B8C7"
	line, sum, err := lines.New(lines.Start, firstLine{Version: formatVersion, Envelope: env})
	if err != nil {
		t.Fatal(err)
	}
	p := padded(line)
	end := len(line)
	for i := range n {
		at := time.Unix(1_900_000_000+int64(i)*300, 0).UTC()
		line, sum, err = lines.New(sum, spool.Event{Kind: spool.Try, At: at, N: i + 1, Next: at.Add(5 * time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		copy(p[end:], line)
		end += len(line)
	}
	return p
}

// ends finds where each line of a sidecar ends.
func ends(p []byte) (at []int) {
	for i, c := range p {
		if c == '\n' && i > 0 && p[i-1] != '\n' {
			at = append(at, i+1)
		}
	}
	return at
}

func TestTornLineIsNoLine(t *testing.T) {
	whole := attempts(t, 3)
	cuts := ends(whole)
	for cut := range cuts[len(cuts)-1] {
		torn := append(bytes.Clone(whole[:cut]), make([]byte, 100)...)
		got, err := parse(torn)
		r, end := got.Record, got.End
		complete := 0
		for _, e := range cuts {
			if e <= cut {
				complete++
			}
		}
		switch {
		case complete == 0 && err == nil:
			t.Fatalf("cut at %d: no error without an envelope", cut)
		case complete > 0 && (err != nil || r.Attempts != complete-1 || end != int64(cuts[complete-1])):
			t.Fatalf("cut at %d: %d attempts, end %d, %v; want %d lines", cut, r.Attempts, end, err, complete)
		}
	}
}

// A line that survived a power cut while the one before it did not must not come
// back to life behind the line that takes the torn one's place.
func TestStaleLineStaysDead(t *testing.T) {
	p := attempts(t, 2)
	cuts := ends(p)
	p[cuts[0]+20] ^= 1 // the first attempt is torn, the second whole
	got, err := parse(p)
	r, end, sum := got.Record, got.End, got.Sum
	if err != nil || r.Attempts != 0 {
		t.Fatalf("%d attempts, %v", r.Attempts, err)
	}
	at := time.Unix(1_900_000_000, 0).UTC() // a line of the very length of the torn one
	line, _, _ := lines.New(sum, spool.Event{Kind: spool.Try, At: at, N: 1, Next: at.Add(6 * time.Minute)})
	copy(p[end:], line)
	if int(end)+len(line) != cuts[1] {
		t.Fatal("the new line does not meet the stale one; the test tests nothing")
	}
	if got, err = parse(p); err != nil || got.Record.Attempts != 1 {
		t.Fatalf("%d attempts, %v; the stale line counts", got.Record.Attempts, err)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	line, _, _ := lines.New(lines.Start, firstLine{Version: formatVersion + 1, Envelope: testEnvelope()})
	if _, err := parse(line); err == nil {
		t.Fatal("a sidecar of a newer format was taken")
	}
}

func TestNames(t *testing.T) {
	for _, e := range []spool.Entry{
		{ID: "A", Next: seconds(0), State: spool.StateQueued},
		{ID: "0CKRP4W3R1A9B8C7-12", Next: seconds(1_900_000_000), State: spool.StateHeld},
		{ID: "x", Next: seconds(maxTime), State: spool.StateFailed},
		{ID: "A.w", Next: seconds(1_900_000_000), State: spool.StateQueued, Expires: seconds(1_900_000_123)},
		{ID: "A", Next: seconds(0), State: spool.StateQueued, Expires: seconds(0)},
	} {
		p := ParseName([]byte(Name(e)))
		if p.Kind != Sidecar || !reflect.DeepEqual(p.Entry(), e) {
			t.Errorf("%q reads as %+v, want %+v", Name(e), p.Entry(), e)
		}
	}
	for _, name := range []string{"", ".", "..", ".x", ".x,1,q", ".x,1900000000,z", ".x,19000000000,q", "a b", "-x", ".,1900000000,q", "a/b", "é",
		".x,1900000000,1900000000,h", ".x,1900000000,1900000000,f", ".x,1900000000,1900000000,1900000000,q", ".,1900000000,1900000000,q", ".x,19000000000,1900000000,q", ",q", ",1900000000,q"} {
		if p := ParseName([]byte(name)); p.Kind != Foreign {
			t.Errorf("%q is taken for ours: %+v", name, p)
		}
	}
}

func FuzzSidecar(f *testing.F) {
	f.Add(attempts(f, 0))
	f.Add(attempts(f, 3))
	f.Add([]byte("0123456789abcdef {\"notices\":1,\"id\":\"A\",\"recipients\":[\"a@x\",\"b@x\"],\"notify\":\"success\",\"notify_each\":[\"never\"],\"originals\":[\"\"]}\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := parse(p)
		r, end := got.Record, got.End
		if err == nil && (end < 1 || end > int64(len(p)) || len(r.Recipients) != len(r.Envelope.Recipients)) {
			t.Fatalf("end %d of %d, %d recipients of %d", end, len(p), len(r.Recipients), len(r.Envelope.Recipients))
		}
	})
}

// TestOneBlockIsAsGoodAsAll: reading the first block alone and reading the whole
// sidecar give the same, wherever the block ends in it and whatever is behind.
func TestOneBlockIsAsGoodAsAll(t *testing.T) {
	env := testEnvelope()
	for extra := range 40 {
		env.Ref = string(bytes.Repeat([]byte("x"), 3*extra)) // a line of an event is about 120
		line, sum, err := lines.New(lines.Start, firstLine{Version: formatVersion, Envelope: env})
		must(t, err)
		whole := line
		for n := 1; len(whole) < BlockSize+200; n++ {
			if n == 1 || len(whole) > BlockSize-130 {
				sideIs(t, whole, nil, bytes.Repeat([]byte{'\n'}, BlockSize), make([]byte, BlockSize), []byte("torn"))
			}
			line, sum, err = lines.New(sum, spool.Event{Kind: spool.Try, At: seconds(1_900_000_000), N: n})
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
		want, err := parse(p)
		must(t, err)
		got, err := Read(file(t, p))
		must(t, err)
		if got.End != want.End || got.Sum != want.Sum || len(got.Record.Events) != len(want.Record.Events) || got.Size != int64(len(p)) {
			t.Fatalf("%d octets and %d: read to %d of %d with %d events, want %d with %d",
				len(lines), len(more), got.End, got.Size, len(got.Record.Events), want.End, len(want.Record.Events))
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
