package maildir

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maildir/sidecar"
)

// importDir holds what an import must know of messages that have left the spool: the keys in
// their envelopes. A removal renames the sidecar of an imported message to import/.ID instead
// of unlinking it, so that a kill at any step keeps its keys. The journal takes them over
// together with those of others, and then the sidecar is removed. A full disk does not stop a
// message from leaving: its sidecar waits for the next import, which hands it over.
//
// An import also adds a line for each message that it queues, without a sync, so that the next
// one need not open these sidecars.
//
//	import/.ID    the sidecar of an imported message that has left
//	import/DAY    the journal: lines of that day (UTC), added at the end. Old days are removed
//	              as a whole, so that no file is ever rewritten.
//	import/lock   locked by the running import
//	import/notes  the lines of an older version, in the same form. Its import/.ID, without
//	              keys, is of a message that was not queued, so that its line does not count.
const (
	importDir = "import"
	notesName = "notes"
)

func importPath(id spool.ID) string { return importDir + "/." + string(id) }

// removeSidecar takes the sidecar of a message out of cur or failed.
func (f folders) removeSidecar(path string, m imported) error {
	if len(m.keys) == 0 {
		return f.Unlink(path)
	}
	return f.ensure(func() error { return f.Replace(path, importPath(m.id)) })
}

// imported is a message with its import keys, if it has any.
type imported struct {
	id   spool.ID
	keys []spool.ImportKey
}

// journal writes and reads the lines of imported messages.
type journal struct {
	fs  fsys.FS
	now func() time.Time
}

// day is the name of the file that is written now.
func (j *journal) day() string { return j.now().UTC().Format(time.DateOnly) }

// handOver writes the lines of messages that have left, durably, and removes the sidecars
// that they are from. On an error these stay.
func (j *journal) handOver(left []imported) error {
	left = slices.DeleteFunc(left, func(m imported) bool { return len(m.keys) == 0 })
	if len(left) == 0 {
		return nil
	}
	err := j.append(left, true)
	if err == nil {
		err = j.fs.SyncDir(importDir)
	}
	for i := 0; i < len(left) && err == nil; i++ {
		err = ignoreMissing(j.fs.Unlink(importPath(left[i].id)))
	}
	return err
}

func (j *journal) append(messages []imported, sync bool) error {
	text := []byte{'\n'} // ends a line that a full disk cut off
	for _, m := range messages {
		if len(m.keys) > 0 {
			text = sidecar.JournalLine{Keys: m.keys, At: j.now().Unix(), ID: m.id}.Append(text)
		}
	}
	f, err := j.fs.Open(importDir+"/"+j.day(), unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// read calls do with each line of a file that is whole.
func (j *journal) read(name string, do func(sidecar.JournalLine)) error {
	f, err := j.fs.Open(importDir+"/"+name, unix.O_RDONLY, 0)
	if err != nil {
		return ignoreMissing(err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, 1<<40), 1<<14)
	for l := (sidecar.JournalLine{}); ; {
		line, err := r.ReadSlice('\n')
		if l.Parse(line) {
			do(l)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) { // too long to be ours: in pieces
			return err
		}
	}
}
