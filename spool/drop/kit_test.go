package drop

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/intake"
	"notices/spool/internal/fsys"
	"notices/spool/internal/simfs"
	"notices/spool/maildir"
	"notices/spool/maillog"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noon is when all tests begin.
var noon = time.Unix(1_900_000_000, 0)

var site = intake.Site{Name: "Library", Address: "library@example.org", FindHostname: func() string { return "mail.example.org" }}

const notice = "To: patron@example.net\nSubject: Overdue\n\nPlease bring it back.\n"

// newDisk is a disk with a spool that was used before, and a drop.
func newDisk(t *testing.T) *simfs.Disk {
	t.Helper()
	disk := simfs.New()
	disk.Clock = noon.Unix
	p := disk.Open(nil)
	for _, dir := range []string{"tmp", "cur", "failed", asideDir, "state"} {
		must(t, p.Mkdir(dir, 0o700))
	}
	must(t, p.Mkdir(Name, Mode))
	return disk
}

// handIn is `notices enqueue` of a user who may not write the spool.
func handIn(d fsys.FS, r intake.Request) (spool.ID, error) {
	f, err := open(d, "/spool")
	if err != nil {
		return "", err
	}
	in := &intake.Intake{Store: f, Site: site, Now: func() time.Time { return noon }}
	return in.Accept(context.Background(), r)
}

func plainRequest() intake.Request { return intake.Request{Body: strings.NewReader(notice)} }

// bounded is what runs clear away at most, if it is not 0.
type bounded struct {
	fsys.FS
	bound int
}

// collector collects from a disk.
func collector(d fsys.FS, store spool.Store, now time.Time, log io.Writer) *Collector {
	in := &intake.Intake{Store: store, Site: site}
	t := &Collector{
		Dir: "/spool", Store: store, fs: d,
		Now:     func() time.Time { return now },
		MaxSize: 1 << 20,
		Accept: func(ctx context.Context, e spool.Envelope, body io.Reader) (spool.Draft, *spool.Envelope, error) {
			d, env, err := in.Draft(ctx, intake.RequestOf(e, body))
			if errors.As(err, new(*intake.Error)) {
				err = errors.Join(ErrRefused, err)
			}
			return d, env, err
		},
	}
	if b, ok := d.(bounded); ok {
		t.clearLimit = b.bound
	}
	if log != nil {
		t.Log = newLog(log)
	}
	return t
}

func newLog(w io.Writer) *maillog.Log { return maillog.New(w, maillog.All) }

// flush takes over and lists, as a flush does, and hands each message to attempt while
// nobody else can begin to take over. Then it is gone from the store.
func flush(d fsys.FS, log io.Writer, attempt func(spool.ID, string)) error {
	return flushAt(context.Background(), noon, d, log, attempt)
}

func flushAt(ctx context.Context, now time.Time, d fsys.FS, log io.Writer, attempt func(spool.ID, string)) error {
	s, err := maildir.Open("/spool", maildir.Options{FS: d, Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	end, err := collector(d, s, now, log).Collect(ctx)
	if err != nil {
		return err
	}
	var entries []spool.Entry
	err = s.Scan(ctx, func(e spool.Entry) bool { entries = append(entries, e); return true })
	if e := end(err == nil && len(entries) > 0); err == nil {
		err = e
	}
	if err == nil {
		_, err = s.Repair(ctx)
	}
	for i := 0; i < len(entries) && err == nil && attempt != nil; i++ {
		err = send(ctx, s, entries[i], attempt)
	}
	return err
}

func send(ctx context.Context, s spool.Store, e spool.Entry, attempt func(spool.ID, string)) error {
	c, err := s.Claim(ctx, e)
	if errors.Is(err, spool.ErrGone) || errors.Is(err, spool.ErrBusy) {
		return nil // the other flush was faster
	}
	if err != nil {
		return err
	}
	b := make([]byte, c.Body().Size())
	if _, err := c.Body().ReadAt(b, 0); err != nil && err != io.EOF {
		return err
	}
	attempt(e.ID, string(b))
	return c.Remove(spool.Event{}, spool.Now)
}
