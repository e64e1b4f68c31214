// Package imports keeps what an import has to know of messages that have left a spool folder:
// the journal of their import keys.
package imports

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// Dir is the folder with the keys of messages that have left the spool. A removal renames the
// sidecar of an imported message to import/.ID instead of unlinking it, so that a kill at any
// step keeps its keys. The journal takes them over
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
	Dir       = "import"
	NotesName = "notes"
)

// Path is where the sidecar of an imported message waits for the journal.
func Path(id spool.ID) string { return Dir + "/." + string(id) }

// Message is a message with its import keys, if it has any.
type Message struct {
	ID   spool.ID
	Keys []spool.ImportKey
}

// Journal writes and reads the lines of imported messages.
type Journal struct {
	FS  fsys.FS
	Now func() time.Time
}

// Day is the name of the file that is written now.
func (j *Journal) Day() string { return j.Now().UTC().Format(time.DateOnly) }

// HandOver writes the lines of messages that have left, durably, and removes the sidecars
// that they are from. On an error these stay.
func (j *Journal) HandOver(left []Message) error {
	left = slices.DeleteFunc(left, func(m Message) bool { return len(m.Keys) == 0 })
	if len(left) == 0 {
		return nil
	}
	err := j.Append(left, true)
	if err == nil {
		err = j.FS.SyncDir(Dir)
	}
	for i := 0; i < len(left) && err == nil; i++ {
		err = ignoreMissing(j.FS.Unlink(Path(left[i].ID)))
	}
	return err
}

// Append adds the lines of messages that have keys; sync: durably.
func (j *Journal) Append(messages []Message, sync bool) error {
	text := []byte{'\n'} // ends a line that a full disk cut off
	for _, m := range messages {
		if len(m.Keys) > 0 {
			text = Line{Keys: m.Keys, At: j.Now().Unix(), ID: m.ID}.Append(text)
		}
	}
	f, err := j.FS.Open(Dir+"/"+j.Day(), unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Read calls do with each line of a file that is whole.
func (j *Journal) Read(name string, do func(Line)) error {
	f, err := j.FS.Open(Dir+"/"+name, unix.O_RDONLY, 0)
	if err != nil {
		return ignoreMissing(err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, 1<<40), 1<<14)
	for l := (Line{}); ; {
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

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
