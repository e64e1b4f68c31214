package app

import (
	"bufio"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDotReader(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		".":                        "",
		".\n":                      "",
		".\r\n":                    "",
		".\r":                      "",
		"a":                        "a",
		"a\n":                      "a\n",
		"a\n.":                     "a\n",
		"a\n.\nb\n":                "a\n",
		"a\r\n.\r\nb\r\n":          "a\r\n",
		"a\r\n.\nb":                "a\r\n",
		"a\n.\r\nb":                "a\n",
		"a\n..\nb\n.\n":            "a\n..\nb\n",
		"a\n.b\n.\n":               "a\n.b\n",
		"a.\nb\n":                  "a.\nb\n",
		"a\n.\r.\n.\rb\n":          "a\n.\r.\n.\rb\n",
		"a\n\n.\n\nb":              "a\n\n",
		"a\r.\rb\n.\n":             "a\r.\rb\n",
		"\n.\n":                    "\n",
		". \n.\t\n.\nx":            ". \n.\t\n",
		strings.Repeat("..\n", 99): strings.Repeat("..\n", 99),
	} {
		for name, cut := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r },
			"bytes": iotest.OneByteReader,
			"halfs": iotest.HalfReader,
			"eager": iotest.DataErrReader,
		} {
			got, err := io.ReadAll(&dotReader{in: bufio.NewReader(cut(strings.NewReader(text)))})
			if err != nil || string(got) != want {
				t.Errorf("%q by %s: %q (%v), want %q", text, name, got, err, want)
			}
		}
	}
}

// ragged reads pieces of random length, none among them.
type ragged struct {
	r io.Reader
	n *rand.Rand
}

func (r ragged) Read(p []byte) (int, error) { return r.r.Read(p[:r.n.IntN(min(len(p), 5)+1)]) }

// FuzzDotReader: the message ends where a reader that has it all at once finds its end,
// however it comes in.
func FuzzDotReader(f *testing.F) {
	f.Add("a\r\n.\r\nb\n.\n", uint64(1))
	f.Add("..\n.\r.\n\r\n.\r", uint64(2))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		want := text
		for at := 0; at < len(text); {
			line, _, _ := strings.Cut(text[at:], "\n")
			if strings.TrimSuffix(line, "\r") == "." {
				want = text[:at]
				break
			}
			at += len(line) + 1
		}
		d := &dotReader{in: bufio.NewReaderSize(ragged{strings.NewReader(text), rand.New(rand.NewPCG(seed, 0))}, 16)}
		if got, err := io.ReadAll(d); err != nil || string(got) != want {
			t.Errorf("%q: %q (%v), want %q", text, got, err, want)
		}
	})
}
