package term

import (
	"bufio"
	"io"
	"strings"
)

// Stream prints a long result piece by piece, and keeps the first error for its end.
type Stream struct {
	out *bufio.Writer
	n   int // values of the array
	err error
}

// NewStream is a stream to w, whose last piece is written by Flush or EndArray.
func NewStream(w io.Writer) *Stream { return &Stream{out: bufio.NewWriter(w)} }

// Print writes a text as it is.
func (s *Stream) Print(text string) {
	if s.err == nil {
		_, s.err = s.out.WriteString(text)
	}
}

// Failed reports whether nothing more can be written.
func (s *Stream) Failed() bool { return s.err != nil }

// Flush writes what is buffered, and returns the first error.
func (s *Stream) Flush() error {
	if err := s.out.Flush(); s.err == nil {
		s.err = err
	}
	return s.err
}

// Add prints the next value of a JSON array.
func (s *Stream) Add(v any) {
	b, err := JSON(v)
	if err != nil && s.err == nil {
		s.err = err
	}
	opening := ",\n"
	if s.n == 0 {
		opening = "[\n"
	}
	s.n++
	s.Print(opening + string(b))
}

// EndArray ends the array, which may be empty, and is Flush.
func (s *Stream) EndArray() error {
	if s.n == 0 {
		s.Print("[]\n")
	} else {
		s.Print("\n]\n")
	}
	return s.Flush()
}

// Cells puts texts into columns; each text is followed by its column's width.
func Cells(list ...any) string {
	var b strings.Builder
	for i := 0; i < len(list); i += 2 {
		b.WriteString(Pad(list[i].(string), list[i+1].(int)) + "  ")
	}
	return b.String()
}
