package intake

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"notices/spool"
)

// files is a store of drafts that are plain files and are never kept, so that only
// intake is measured.
type files struct {
	spool.Store
	dir string
}

type fileDraft struct {
	*os.File
	id   spool.ID
	size int64
}

func (f files) New(_ context.Context, id spool.ID) (spool.Draft, error) {
	file, err := os.CreateTemp(f.dir, "draft")
	return &fileDraft{File: file, id: id}, err
}

func (f files) Commit(_ context.Context, drafts ...spool.Draft) (int, error) {
	for _, d := range drafts {
		d.Abort()
	}
	return len(drafts), nil
}

func (d *fileDraft) ID() spool.ID                              { return d.id }
func (d *fileDraft) Len() int64                                { return d.size }
func (d *fileDraft) Seal(spool.Envelope, ...spool.Event) error { return nil }

func (d *fileDraft) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	return d.File.Write(p)
}

func (d *fileDraft) Abort() error {
	d.Close()
	return os.Remove(d.Name())
}

// large is a message whose body repeats a text up to size.
func large(text string, size int64) io.Reader {
	return io.MultiReader(strings.NewReader(complete+"Content-Type: text/plain; charset=utf-8\n\n"),
		io.LimitReader(&repeat{text: text}, size))
}

type repeat struct {
	text string
	at   int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(p[n:], r.text[r.at:])
		n += m
		r.at = (r.at + m) % len(r.text)
	}
	return n, nil
}

var lines = strings.Repeat("A line of a notice with nothing special in it, as they are, ü.\n", 100)

// TestMemory: it does not grow with the message, not in the second pass either.
func TestMemory(t *testing.T) {
	in := &Intake{Store: files{dir: t.TempDir()}, Site: site}
	for name, text := range map[string]string{"short lines": lines, "one line": "never ends ", "CRs": "\r"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := in.Accept(t.Context(), Request{Body: large(text, 3<<20), Recipients: []string{"patron@example.net"}})
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: 3 MiB took %d KiB of memory", name, used>>10)
		}
	}
}

func BenchmarkAccept(b *testing.B) {
	notice, err := os.ReadFile(filepath.Join("testdata/notices", "hold-ready-html-and-text.eml"))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		size int64
		body func() io.Reader
	}{
		{"notice", int64(len(notice)), func() io.Reader { return strings.NewReader(string(notice)) }},
		{"4KiB", 4 << 10, func() io.Reader { return large(lines, 4<<10) }},
		{"50MiB", 50 << 20, func() io.Reader { return large(lines, 50<<20) }},
		{"50MiB,long lines", 50 << 20, func() io.Reader { return large("never ends ", 50<<20) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := &Intake{Store: files{dir: b.TempDir()}, Site: site}
			b.SetBytes(c.size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := in.Accept(b.Context(), Request{Body: c.body(), Recipients: []string{"patron@example.net"}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
