package importer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/cmd/notices/mailfile"
	"notices/config"
	"notices/spool"
	"notices/spool/maildir"
	"notices/spool/maildir/sidecar"
	"notices/spool/move"
	"notices/spool/printable"
	"notices/spool/service"
)

// isSpool reports whether a path is the folder of a spool of notices, which moves over as it is:
// read as a Maildir, its messages would be queued afresh, those that were sent in part as well.
func isSpool(path string) bool {
	for _, name := range []string{"cur", "failed", "state"} {
		if info, err := os.Lstat(filepath.Join(path, name)); err != nil || !info.IsDir() {
			return hasSidecar(filepath.Join(path, "cur"))
		}
	}
	return true
}

// hasSidecar tells a spool in which a folder was removed.
func hasSidecar(dir string) bool {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			if sidecar.ParseName([]byte(name)).Kind == sidecar.Sidecar {
				return true
			}
		}
		if err != nil {
			return false
		}
	}
}

// spools takes the spools out of the paths.
func (o *Options) spools(cfg *config.Config) (spools []string, err error) {
	var files []string
	for _, path := range o.Paths {
		switch {
		case path == "-" || !isSpool(path):
			files = append(files, path)
			continue
		case !cfg.Spool.Database.IsSet() && sameFolder(path, cfg.Spool.Dir):
			return nil, app.Fail(app.ExitUsage, "%s is the spool itself: what is in there is queued. Name the spool that is to be moved into it, or set [spool] dir or database in %s to the one that it is to be moved to", path, cfg.Path)
		case o.Sender != nil || o.Ref != "" || o.Expires != 0 || o.Again || o.Separator != "":
			return nil, app.Fail(app.ExitUsage, "%s is a spool of notices: its messages move as they are. Only --dry-run and --json are for that; import it by a command of its own", path)
		}
		spools = append(spools, path)
	}
	o.Paths = files
	return spools, nil
}

func sameFolder(a, b string) bool {
	one, err := os.Stat(a)
	other, failed := os.Stat(b)
	return err == nil && failed == nil && os.SameFile(one, other)
}

// openSpool opens a spool that is to be moved. What leaves it has not ended: nothing of that goes
// into its history.
func (m *importing) openSpool(path string) (*maildir.Store, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 && st.Uid != 0 {
		return nil, fmt.Errorf("%w: root does not open a spool that belongs to another user; run this as that user", fs.ErrPermission)
	}
	return maildir.Open(path, maildir.Options{Now: m.p.Now, NoHistory: true})
}

// moveSpools moves one spool after another. One that cannot be opened is named.
func (m *importing) moveSpools(ctx context.Context) error {
	if len(m.spools) > 0 {
		m.tally.Spools = new(counts)
	}
	for _, path := range m.spools {
		from, err := m.openSpool(path)
		if err != nil {
			m.refuse(refusal{Path: path, Error: mailfile.Reason(err), code: app.StoreCode(err)})
			continue
		}
		err = m.moveSpool(ctx, from, path)
		if err = errors.Join(err, from.Close()); err != nil {
			return err
		}
	}
	return nil
}

// moveSpool moves one spool, and notes what it did, even if it had to stop.
func (m *importing) moveSpool(ctx context.Context, from spool.Store, path string) error {
	keys, release, err := imported(ctx, m.p, from)
	if err != nil {
		return stopped(ctx, err)
	}
	mover := &move.Mover{From: from, To: m.store, Known: m.known}
	mover.Tell = func(id spool.ID, err error) {
		m.refuse(refusal{Path: path, Error: staysBehind(id, err), code: codeOf(err)})
	}
	mover.Found = func(a spool.Anomaly) { m.p.Say("%s: %s: %s; it is now %s", path, a.Name, a.Why, a.Moved) }
	var ids []spool.ID
	mover.Moved = func(r *spool.Record) {
		m.octets += r.Envelope.Size
		m.bar.ShowOctets(m.tally.Spools.Moved+mover.Messages, m.octets, 0)
		if ids = append(ids, r.Envelope.ID); len(ids) >= idsAtOnce {
			m.moved(ids)
			ids = ids[:0]
		}
	}
	if m.o.DryRun {
		err = mover.Preview(ctx)
	} else {
		err = m.moveAll(ctx, mover, keys)
	}
	m.moved(ids)
	m.tally.Spools.add(&mover.Counts)
	err = errors.Join(stopped(ctx, err), release())
	m.said = append(m.said, path+": "+m.movedText(&mover.Counts, err != nil))
	return err
}

// idsAtOnce is how many ids are printed together.
const idsAtOnce = 200

func (m *importing) moveAll(ctx context.Context, mover *move.Mover, keys map[spool.ImportKey]struct{}) error {
	err := mover.All(ctx)
	if err == nil && m.history {
		var bad []spool.Anomaly
		bad, err = mover.History(ctx)
		for _, a := range bad {
			m.p.Say("%s: %s", a.Name, a.Why)
		}
	}
	if err == nil {
		err = mover.Keys(ctx, keys)
	}
	if err == nil { // of a hosted service
		var n int
		register := service.Register{State: m.store.State(), Now: m.p.Now}
		if n, err = register.Adopt(ctx, mover.From.State()); n > 0 {
			m.p.Say("%s registered here now, with the keys that they have", printable.CountIs(n, "site"))
		}
	}
	return err
}

// stopped makes an error of a signal.
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errStopped
	}
	return err
}

// moved prints the ids of what was moved.
func (m *importing) moved(ids []spool.ID) {
	if len(ids) > 0 {
		m.bar.Hide()
		m.printIDs(m.p, ids)
	}
}

// staysBehind says why a message stays in its spool. Errors of a store begin with its id.
func staysBehind(id spool.ID, err error) string {
	why := strings.TrimPrefix(err.Error(), string(id)+": ")
	switch {
	case errors.Is(err, spool.ErrBusy):
		why = "in flight: a flush of that spool has it; run the same command again when that has ended"
	case errors.Is(err, move.ErrConflict):
		why += "; look at both with notices show, and remove one"
	}
	return "message " + string(id) + " stays there: " + why
}

func codeOf(err error) int {
	switch {
	case errors.Is(err, spool.ErrBusy):
		return app.ExitTryLater
	case errors.Is(err, move.ErrConflict):
		return app.ExitBadMessage
	}
	return app.ExitIO
}

// movedText is `moved 312 messages (4 held, 2 failed), 1,204 history entries`.
func (m *importing) movedText(c *move.Counts, stopped bool) string {
	text := "moved "
	switch {
	case m.o.DryRun:
		text = "would move "
	case stopped:
		text = "stopped; moved "
	}
	text += printable.Count(c.Messages, "message")
	var parts []string
	if c.Held > 0 {
		parts = append(parts, printable.Number(c.Held)+" held")
	}
	if c.Failed > 0 {
		parts = append(parts, printable.Number(c.Failed)+" failed")
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	if c.Entries > 0 {
		text += fmt.Sprintf(", %s history %s", printable.Number(c.Entries), plural(c.Entries, "entry", "entries"))
	}
	if c.Before > 0 {
		text += fmt.Sprintf("; %s moved by an earlier run", wereOf(c.Before))
	}
	if c.Skipped > 0 {
		text += fmt.Sprintf("; %s, as named above", plural(c.Skipped, "1 stays there", printable.Number(c.Skipped)+" stay there"))
	}
	if stopped {
		text += "; run the same command again, and it goes on from there"
	}
	return text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func wereOf(n int) string { return plural(n, "1 was", printable.Number(n)+" were") }

func (t *counts) add(c *move.Counts) {
	t.Moved += c.Messages
	t.Held += c.Held
	t.Failed += c.Failed
	t.MovedBefore += c.Before
	t.Skipped += c.Skipped
	t.History += c.Entries
}
