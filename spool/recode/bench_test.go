package recode

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// endless is a message that repeats a text behind a header, without being anywhere.
type endless struct{ header, text string }

func (e endless) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(e.header)) {
		n = copy(p, e.header[off:])
	}
	for n < len(p) {
		at := (off + int64(n) - int64(len(e.header))) % int64(len(e.text))
		n += copy(p[n:], e.text[at:])
	}
	return n, nil
}

var large = map[string]endless{
	"text":             {"Content-Type: text/plain\r\n\r\n", strings.Repeat("Ein Satz, wie er dasteht, mit einem ü.\r\n", 100)},
	"text of one line": {"Content-Type: text/plain\r\n\r\n", strings.Repeat("Ein Satz, wie er dasteht, mit einem ü. ", 100)},
	"no type":          {"Subject: x\r\n\r\n", strings.Repeat("ü", 1000)},
	"binary":           {"Content-Type: image/x\r\n\r\n", strings.Repeat("\xff\x01\r\n", 100)},
	"one base64 line":  {"Content-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n\r\n", strings.Repeat("QUJD", 100)},
	"quoted-printable": {"Content-Transfer-Encoding: quoted-printable\r\n\r\n", strings.Repeat("=C3=BC und noch ein \xfc\r\n", 100)},
	"blanks":           {"Content-Transfer-Encoding: quoted-printable\r\n\r\n", "   "},
	"many parts":       {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\n\xfc\r\n"},
	"filler":           {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "x\xfc"},
	"nothing to do":    {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n", strings.Repeat("An ordinary line.\r\n", 100)},
}

// TestMemory: it does not grow with the message.
func TestMemory(t *testing.T) {
	for name, message := range large {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Recode(io.Discard, message, 512<<10, Options{SevenBit: true})
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// What one part needs is let go with it: only the sum grows.
		allowed := uint64(200 << 10)
		if name == "many parts" || name == "quoted-printable" {
			allowed = 32 << 20
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > allowed {
			t.Errorf("%s: 512 KiB took %d KiB of memory", name, used>>10)
		}
	}
}

func BenchmarkRecode(b *testing.B) {
	for name, message := range large {
		for _, size := range []int64{4 << 10, 50 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					if err := Recode(io.Discard, message, size, Options{SevenBit: true}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
