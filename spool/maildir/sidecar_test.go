package maildir

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"notices/spool"
)

// lines writes a sidecar of an envelope and n attempts.
func lines(t testing.TB, n int) []byte {
	t.Helper()
	env := testEnvelope()
	env.ID = "0CKRP4W3R1A9B8C7"
	line, sum, err := newLine(checksumStart, firstLine{Version: formatVersion, Envelope: env})
	if err != nil {
		t.Fatal(err)
	}
	p := padded(line)
	end := len(line)
	for i := range n {
		at := time.Unix(1_900_000_000+int64(i)*300, 0).UTC()
		line, sum, err = newLine(sum, spool.Event{Kind: spool.Try, At: at, N: i + 1, Next: at.Add(5 * time.Minute)})
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
	whole := lines(t, 3)
	cuts := ends(whole)
	for cut := range cuts[len(cuts)-1] {
		torn := append(bytes.Clone(whole[:cut]), make([]byte, 100)...)
		r, end, _, err := parseSidecar(torn)
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
	p := lines(t, 2)
	cuts := ends(p)
	p[cuts[0]+20] ^= 1 // the first attempt is torn, the second whole
	r, end, sum, err := parseSidecar(p)
	if err != nil || r.Attempts != 0 {
		t.Fatalf("%d attempts, %v", r.Attempts, err)
	}
	at := time.Unix(1_900_000_000, 0).UTC() // a line of the very length of the torn one
	line, _, _ := newLine(sum, spool.Event{Kind: spool.Try, At: at, N: 1, Next: at.Add(6 * time.Minute)})
	copy(p[end:], line)
	if int(end)+len(line) != cuts[1] {
		t.Fatal("the new line does not meet the stale one; the test tests nothing")
	}
	if r, _, _, err = parseSidecar(p); err != nil || r.Attempts != 1 {
		t.Fatalf("%d attempts, %v; the stale line counts", r.Attempts, err)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	line, _, _ := newLine(checksumStart, firstLine{Version: formatVersion + 1, Envelope: testEnvelope()})
	if _, _, _, err := parseSidecar(line); err == nil {
		t.Fatal("a sidecar of a newer format was taken")
	}
}

func TestNames(t *testing.T) {
	for _, e := range []spool.Entry{
		{ID: "A", Next: unixTime(0), State: spool.StateQueued},
		{ID: "0CKRP4W3R1A9B8C7-12", Next: unixTime(1_900_000_000), State: spool.StateHeld},
		{ID: "x", Next: unixTime(maxTime), State: spool.StateFailed},
		{ID: "A.w", Next: unixTime(1_900_000_000), State: spool.StateQueued, Expires: unixTime(1_900_000_123)},
		{ID: "A", Next: unixTime(0), State: spool.StateQueued, Expires: unixTime(0)},
	} {
		p := parseName([]byte(sidecarName(e)))
		if p.kind != sidecar || !reflect.DeepEqual(p.entry(), e) {
			t.Errorf("%q reads as %+v, want %+v", sidecarName(e), p.entry(), e)
		}
	}
	for _, name := range []string{"", ".", "..", ".x", ".x,1,q", ".x,1900000000,z", ".x,19000000000,q", "a b", "-x", ".,1900000000,q", "a/b", "é",
		".x,1900000000,1900000000,h", ".x,1900000000,1900000000,f", ".x,1900000000,1900000000,1900000000,q", ".,1900000000,1900000000,q", ".x,19000000000,1900000000,q", ",q", ",1900000000,q"} {
		if p := parseName([]byte(name)); p.kind != foreign {
			t.Errorf("%q is taken for ours: %+v", name, p)
		}
	}
}

func FuzzSidecar(f *testing.F) {
	f.Add(lines(f, 0))
	f.Add(lines(f, 3))
	f.Add([]byte("0123456789abcdef {\"notices\":1,\"id\":\"A\",\"recipients\":[\"a@x\",\"b@x\"],\"notify\":\"success\",\"notify_each\":[\"never\"],\"originals\":[\"\"]}\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		r, end, _, err := parseSidecar(p)
		if err == nil && (end < 1 || end > int64(len(p)) || len(r.Recipients) != len(r.Envelope.Recipients)) {
			t.Fatalf("end %d of %d, %d recipients of %d", end, len(p), len(r.Recipients), len(r.Envelope.Recipients))
		}
	})
}
