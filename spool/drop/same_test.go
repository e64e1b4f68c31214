package drop

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/intake"
	"notices/spool/maildir"
	"notices/spool/maildirtest"
)

// TestTheSameAsQueued: a message that is handed in is stored as it would have been if
// its user could write the spool, and its time is that of handing in.
func TestTheSameAsQueued(t *testing.T) {
	sender, null := "ann@example.org", ""
	long := "To: p@example.net\nSubject: \xc3\xbc\nMessage-ID: <1@example.org>\n\n" + strings.Repeat("word ", 30000) + "\n.\nend\r\r\nof it\rand"
	for name, c := range map[string]struct {
		site intake.Site
		r    intake.Request
		text string
	}{
		"as ever":      {site, intake.Request{}, notice},
		"an own From":  {site, intake.Request{Sender: &sender, Ref: "4711", Expires: 3 * time.Hour}, "From: \"Ann, desk\" <ann@example.org>\n" + notice},
		"RET=FULL":     {site, intake.Request{DSN: spool.DSNParams{Notify: "never", ReturnFull: true}}, notice},
		"null sender":  {site, intake.Request{Sender: &null}, notice},
		"long lines":   {site, intake.Request{Recipients: []string{"\xc3\xbc@example.net", "q@example.net"}}, long},
		"rewrite_from": {intake.Site{Name: "Library", Address: "library@example.org", RewriteFrom: true}, intake.Request{Sender: &sender}, "From: Ann <ann@example.org>\nBcc: x@example.net\n" + notice},
	} {
		t.Run(name, func(t *testing.T) { sameAsQueued(t, c.site, c.r, c.text) })
	}
}

// TestAllOfTheEnvelope: a part of the envelope that is new must not be lost on the way.
func TestAllOfTheEnvelope(t *testing.T) {
	sender := "ann@example.org"
	rewriting := intake.Site{Name: "Library", Address: "library@example.org", RewriteFrom: true}
	env := sameAsQueued(t, rewriting, intake.Request{
		Sender: &sender, Ref: "4711", Expires: time.Hour, Recipients: []string{"\xc3\xbc@example.net", "q@example.net"},
		DSN: spool.DSNParams{
			NotifyEach: []string{"never", "failure,success"}, Originals: []string{"", "rfc822;Q@example.net"}, ReturnHeaders: true, EnvelopeID: "env-1",
		},
	}, "Message-ID: <1@example.org>\n"+notice+"\xc3\xbc\n")
	env.ID = "taken out by compare"
	for _, v := range []reflect.Value{reflect.ValueOf(env), reflect.ValueOf(env.DSNParams)} {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() != slices.Contains([]string{"Form", "ReturnFull", "ImportKeys", "Site"}, name) {
				t.Errorf("%s: %v; if it is new, intake.RequestOf must take it, or message.validate refuse it", name, v.Field(i))
			}
		}
	}
}

// sameAsQueued takes a message in by both ways and compares what is stored.
func sameAsQueued(t *testing.T, site intake.Site, r intake.Request, text string) spool.Envelope {
	t.Helper()
	ctx := context.Background()
	disk := newDisk(t)
	f, err := open(disk.Open(nil), "/spool")
	must(t, err)
	r.Body = strings.NewReader(text)
	in := &intake.Intake{Store: f, Site: site, Now: func() time.Time { return noon }}
	id, err := in.Accept(ctx, r)
	must(t, err)

	store, err := maildir.Open("/spool", maildir.Options{FS: disk.Open(nil)})
	must(t, err)
	tk := collector(disk.Open(nil), store, noon.Add(2*time.Hour), nil)
	again := &intake.Intake{Store: store, Site: site}
	tk.Accept = func(ctx context.Context, e spool.Envelope, body io.Reader) (spool.Draft, *spool.Envelope, error) {
		return again.Draft(ctx, intake.RequestOf(e, body))
	}
	end, err := tk.Collect(ctx)
	must(t, err)
	must(t, end(true))
	gotEnv, gotBody := storedIn(t, store, id)

	direct := maildirtest.New()
	r.Body = strings.NewReader(text)
	in.Store = direct
	wantEnv, wantBody := directly(t, in, r, direct)
	compare(t, gotEnv, wantEnv, strings.ReplaceAll(gotBody, string(id), "ID"), wantBody)
	return gotEnv
}

func directly(t *testing.T, in *intake.Intake, r intake.Request, store spool.Store) (spool.Envelope, string) {
	t.Helper()
	id, err := in.Accept(context.Background(), r)
	must(t, err)
	env, text := storedIn(t, store, id)
	return env, strings.ReplaceAll(text, string(id), "ID")
}

func storedIn(t *testing.T, s spool.Store, id spool.ID) (spool.Envelope, string) {
	t.Helper()
	e, err := spool.FindOne(context.Background(), s, id)
	must(t, err)
	rec, b, err := s.Peek(context.Background(), e)
	must(t, err)
	defer b.Close()
	text := make([]byte, b.Size())
	if _, err := b.ReadAt(text, 0); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return rec.Envelope, string(text)
}

// compare leaves the ids out, which differ.
func compare(t *testing.T, got, want spool.Envelope, gotBody, wantBody string) {
	t.Helper()
	for _, e := range []*spool.Envelope{&got, &want} {
		e.MessageID = strings.ReplaceAll(e.MessageID, string(e.ID), "ID")
		e.ID = ""
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("envelope\n%s\nwant\n%s", a, b)
	}
	if gotBody != wantBody {
		t.Errorf("message\n%.2000q\nwant\n%.2000q", gotBody, wantBody)
	}
}
