package historyfile

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/lines"
)

// blockSize is how much of a file is searched at a time, in octets. No line is longer.
const blockSize = 1 << 20

// days lists the files of the history, oldest first. Other names are left alone.
func (l *Log) days() (days []string, err error) {
	err = l.FS.List(Dir, func(name []byte) bool {
		if _, err := time.Parse(time.DateOnly, string(name)); err == nil {
			days = append(days, string(name))
		}
		return true
	})
	slices.Sort(days)
	return days, ignoreMissing(err)
}

// dayEnd is when the day of a file ended.
func dayEnd(day string) time.Time {
	t, _ := time.Parse(time.DateOnly, day)
	return t.AddDate(0, 0, 1)
}

// clockSlack is how far clocks may have been apart: a file is searched so much longer.
const clockSlack = 24 * time.Hour

// Search calls yield for the entries that q chooses, oldest first, until it returns false. The
// anomalies are files with damaged lines, and what cannot be read, with what to do about it. They do
// not keep the other files from being searched: the only error is that of ctx.
func (l *Log) Search(ctx context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error) {
	days, err := l.days()
	if !q.Since.IsZero() {
		days = slices.DeleteFunc(days, func(day string) bool { return !dayEnd(day).Add(clockSlack).After(q.Since) })
	}
	s := &search{
		q: &q, needles: needles(&q), buf: make([]byte, blockSize), today: l.Now().UTC().Format(time.DateOnly),
		identity: len(q.IDs) > 0 || q.Recipient != "" || q.Sender != "" || q.Ref != "" || q.Site != "" || q.Keys != nil,
	}
	if err != nil {
		s.tell(Dir, "nothing of what has left the queue can be shown: "+l.explain(err, Dir).Error())
	}
	for i, day := range days {
		if ctx.Err() != nil {
			return s.damage, ctx.Err()
		}
		s.day, s.file = day, uint16(i)
		if err := s.read(l); err != nil {
			s.tell(Dir+"/"+day, notShown+l.explain(err, Dir+"/"+day).Error())
		}
	}
	s.buf = nil
	found := &list{log: l, q: &q, days: days, refs: s.latest(), tell: s.tell}
	defer found.close()
	err = found.yield(ctx, yield)
	return s.damage, err
}

// notShown is what is said of the file of a day.
const notShown = "what was written down on that day is not shown: "

// needles are bytes that each line has that q chooses. The first one is the rarest.
func needles(q *spool.HistoryQuery) (list [][]byte) {
	whole := func(s string) { list = append(list, append(appendText(nil, s), '\t')) }
	if len(q.IDs) == 1 {
		whole(string(q.IDs[0]))
	}
	if q.Ref != "" {
		whole(q.Ref)
	}
	for _, part := range []string{q.Recipient, q.Sender} {
		if part != "" && part != "<>" {
			list = append(list, appendEscaped(nil, strings.ToLower(part)))
		}
	}
	if q.Site != "" { // the last cell, without a tab behind it
		list = append(list, appendText(nil, q.Site))
	}
	return list
}

// ref is an entry that was found: its sort key, and the position of its line.
type ref struct {
	queued int64  // unix seconds
	name   uint64 // hash of id and index
	at     int64  // in the file
	length uint32
	file   uint16 // index of its day
	ending uint8  // spool.Ending, as endingCode has it
}

// search is the first reading of the files.
type search struct {
	q       *spool.HistoryQuery
	needles [][]byte
	buf     []byte
	today   string
	// identity: the query asks for something that ChoosesMessage looks at.
	identity bool

	day    string // of the file that is read
	file   uint16
	at     int64 // where in it
	line   int   // number of the line that is looked at, from 1
	cells  cells
	refs   []ref
	damage []spool.Anomaly
	bad    int // damaged lines of the file
	first  int // the number of the first of them

	growing bool // the file is being written
	whole   bool // no line of the block is damaged
}

// read searches one file.
func (s *search) read(l *Log) error {
	name := Dir + "/" + s.day
	f, err := l.FS.Open(name, unix.O_RDONLY, 0)
	if err != nil {
		return ignoreMissing(err) // forgotten meanwhile
	}
	defer f.Close()
	st, err := f.Stat()
	if err == nil && !st.Regular {
		err = errNotAFile
	}
	s.at, s.line, s.bad = 0, 1, 0
	s.growing = s.day >= s.today && l.Now().Unix()-st.ModTime < int64(writingTime/time.Second)
	for last := false; !last && err == nil; {
		last, err = s.next(f)
	}
	if s.bad > 0 {
		s.tell(name, fmt.Sprintf("damaged lines were passed over: %d, the first is line %d", s.bad, s.first))
	}
	return err
}

// writingTime is how long after the last write a line may still be unfinished.
const writingTime = time.Minute

func (s *search) tell(name, why string) {
	s.damage = append(s.damage, spool.Anomaly{Name: name, Moved: name, Why: why})
}

// next searches the next block of a file, which ends with a whole line. last: the file ends there.
func (s *search) next(f fsys.File) (last bool, err error) {
	n, err := f.ReadAt(s.buf, s.at)
	if err != nil && err != io.EOF {
		return false, err
	}
	block, last := s.buf[:n], err == io.EOF
	if end := bytes.LastIndexByte(block, '\n'); !last && end >= 0 {
		block = block[:end+1] // the rest is read again, as the beginning of the next block
	}
	s.check(block, last)
	for len(block) > 0 {
		if len(s.needles) > 0 {
			at := bytes.Index(block, s.needles[0])
			if at < 0 {
				break
			}
			block = s.skip(block, bytes.LastIndexByte(block[:at], '\n')+1)
		}
		end := bytes.IndexByte(block, '\n')
		if end < 0 { // the last line of the file, or one that is too long to be ours
			s.look(block)
			break
		}
		s.look(block[:end])
		block = s.skip(block, end+1)
	}
	s.skip(block, len(block))
	return last, nil
}

// skip leaves out the first n octets of a block.
func (s *search) skip(block []byte, n int) []byte {
	s.line += bytes.Count(block[:n], []byte("\n"))
	s.at += int64(n)
	return block[n:]
}

// check notes the damaged lines of a block, whatever the query asks for: one of them may be what
// it looks for. last: the file ends there.
func (s *search) check(block []byte, last bool) {
	s.whole = true
	end := -1
	if last && s.growing { // what is behind the last newline is being written
		end = bytes.Count(block, []byte("\n"))
	}
	lines.Damaged(block, func(n int) {
		if s.whole = false; n != end {
			s.noteDamage(s.line + n)
		}
	})
}

func (s *search) noteDamage(line int) {
	if s.bad++; s.bad == 1 {
		s.first = line
	}
}

// look keeps where a line is that the query chooses by what never changes.
func (s *search) look(line []byte) {
	if len(line) == 0 || !s.mayChoose(line) {
		return
	}
	if !s.whole {
		if _, ok := lines.Text(line); !ok {
			return
		}
	}
	if !s.cells.split(line[lines.SumDigits+1:]) || !s.cells.valid() {
		s.noteDamage(s.line)
		return
	}
	if s.identity {
		if e := s.cells.entry(); !s.q.ChoosesMessage(&e) {
			return
		}
	}
	s.refs = append(s.refs, ref{
		queued: s.cells.time(cellQueuedAt).Unix(), name: s.cells.name(), at: s.at, length: uint32(len(line)),
		file: s.file, ending: endingCode(spool.Ending(s.cells.of[cellEnding])),
	})
}

// mayChoose looks at the bytes of a line, before it is checked and parsed.
func (s *search) mayChoose(line []byte) bool {
	for _, needle := range s.needles {
		if !bytes.Contains(line, needle) {
			return false
		}
	}
	if s.q.Keys == nil || len(line) <= lines.SumDigits || !s.cells.split(line[lines.SumDigits+1:]) {
		return true
	}
	return s.cells.mayHave(s.q.Keys)
}

// endingCode is a number for an ending; 0: an unknown one.
func endingCode(e spool.Ending) uint8 {
	all := [...]spool.Ending{spool.EndedDelivered, spool.EndedReturned, spool.EndedFailed, spool.EndedRemoved, spool.EndedBounced}
	return uint8(slices.Index(all[:], e) + 1)
}

// latest sorts what was found by when it was queued, and leaves of each name what was written
// last, if it ended as the query asks.
func (s *search) latest() []ref {
	var want []uint8
	for _, e := range s.q.Endings {
		want = append(want, endingCode(e))
	}
	refs := s.refs
	slices.SortFunc(refs, func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.queued, b.queued), cmp.Compare(a.name, b.name), cmp.Compare(a.file, b.file), cmp.Compare(a.at, b.at))
	})
	left := refs[:0]
	for i, r := range refs {
		last := i+1 == len(refs) || refs[i+1].queued != r.queued || refs[i+1].name != r.name
		if last && (want == nil || slices.Contains(want, r.ending)) {
			left = append(left, r)
		}
	}
	return left
}
