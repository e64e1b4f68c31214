package intake

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestSender(t *testing.T) {
	rewriting := site
	rewriting.RewriteFrom = true
	for _, c := range []struct {
		name             string
		site             Site
		sender           *string
		qualify          bool
		want, wantReturn string
	}{
		{"not named", site, nil, false, "library@example.org", ""},
		{"null", site, pointer(""), false, "", ""},
		{"null in brackets", site, pointer("<>"), false, "", ""},
		{"named", site, pointer("desk@example.net"), false, "desk@example.net", ""},
		{"in brackets", site, pointer("<desk@example.net>"), false, "desk@example.net", ""},
		{"root, of sendmail", site, pointer("root"), true, "root@example.org", ""},
		{"rewritten, not named", rewriting, nil, false, "library@example.org", ""},
		{"rewritten, null", rewriting, pointer("<>"), false, "", ""},
		{"rewritten", rewriting, pointer("desk@example.net"), false, "library@example.org", "desk@example.net"},
		{"rewritten, the same", rewriting, pointer("library@EXAMPLE.org"), false, "library@EXAMPLE.org", ""},
	} {
		r := plain(complete + "\nx\n")
		r.Sender, r.Qualify = c.sender, c.qualify
		q := newDesk(c.site).must(t, r)
		if q.Sender != c.want || q.ReturnTo != c.wantReturn {
			t.Errorf("%s: sender %q, returns to %q; want %q, %q", c.name, q.Sender, q.ReturnTo, c.want, c.wantReturn)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Request
		says string
	}{
		{"no address", Request{Recipients: []string{"a@example.net", "root"}}, `"root" has no @`},
		{"empty", Request{Recipients: []string{""}}, "no address"},
		{"CR LF", Request{Recipients: []string{"a@example.net\r\nRCPT TO:<evil@example.com>"}}, `\r\nRCPT TO`},
		{"brackets", Request{Recipients: []string{"a@example.net> SIZE=1"}}, `"a@example.net> SIZE=1"`},
		{"a list", Request{Recipients: []string{"a@example.net,b@example.net"}}, "malformed"},
		{"NUL", Request{Recipients: []string{"a\x00@example.net"}}, `\x00`},
		{"endless", Request{Recipients: []string{strings.Repeat("a", 1<<20) + "@example.net"}}, "too long"},
		{"CR LF, sendmail", Request{Qualify: true, Recipients: []string{"Ann <a@example.net>\r\nX: y"}}, `\r\n`},
		{"nothing in a list, sendmail", Request{Qualify: true, Recipients: []string{"<>, "}}, "no address"},
		{"only commas, sendmail", Request{Qualify: true, Recipients: []string{", ,"}}, "malformed"},
		{"sender", Request{Sender: pointer("nonsense")}, `the sender is malformed: address "nonsense"`},
		{"sender, CR LF", Request{Sender: pointer("a@example.org>\r\nDATA")}, `\r\nDATA`},
		{"reference", Request{Ref: "a\nb"}, `reference "a\nb"`},
		{"endless reference", Request{Ref: strings.Repeat("a", 256)}, "255 octets"},
		{"full name", Request{FullName: "a\r\nBcc: b@example.com"}, "full name"},
		{"expired", Request{Expires: -time.Second}, "expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.Body = iotest.ErrReader(errors.New("it is read although an argument is bad"))
			err := newDesk(site).refused(t, c.r)
			if err.Kind != BadUsage || !strings.Contains(err.Error(), c.says) || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("kind %d: %q, want %q", err.Kind, err, c.says)
			}
		})
	}
}

func TestBadConfig(t *testing.T) {
	for _, c := range []struct {
		name string
		site Site
		r    Request
		in   string
		says string
	}{
		{"no sender", Site{}, Request{}, complete, "[site] address"},
		{"no From", Site{}, Request{Sender: pointer("")}, "Subject: x\n\n", "[site] address"},
		{"no domain for From", Site{}, Request{Sender: pointer("")}, "From: root\n\n", "[site] address"},
		{"no domain for a recipient", Site{}, Request{Sender: pointer(""), Qualify: true, Recipients: []string{"root"}}, complete, "[site] address"},
		{"rewrite_from", Site{RewriteFrom: true}, Request{Sender: pointer("a@example.org")}, complete, "[site] address"},
	} {
		c.r.Body = strings.NewReader(c.in)
		if c.r.Recipients == nil {
			c.r.Recipients = []string{"patron@example.net"}
		}
		if err := newDesk(c.site).refused(t, c.r); err.Kind != BadConfig || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: kind %d, %q, want %q", c.name, err.Kind, err, c.says)
		}
	}
	// With a sender there is something to write into From.
	r := plain("Subject: x\n\n")
	r.Sender = pointer("desk@example.net")
	if q := newDesk(Site{}).must(t, r); !strings.Contains(q.text, "\r\nFrom: desk@example.net\r\n") || !strings.Contains(q.MessageID, "@localhost>") {
		t.Errorf("without any site: %q", q.text)
	}
}

func TestReferenceAndExpiry(t *testing.T) {
	r := plain(complete + "\nx\n")
	r.Ref, r.Expires = "patron 4711", 36*time.Hour
	q := newDesk(site).must(t, r)
	queuedAt := time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)
	if q.Ref != "patron 4711" || !q.QueuedAt.Equal(queuedAt) || !q.ExpiresAt.Equal(queuedAt.Add(36*time.Hour)) {
		t.Errorf("envelope %+v", q.Envelope)
	}
}

func TestSize(t *testing.T) {
	text := complete + "\n" + strings.Repeat("x\n", 500)
	for _, more := range []int{0, 1, 5000, 1 << 20} {
		d := newDesk(site)
		d.MaxSize = int64(len(text))
		r := plain(text)
		r.Body = io.MultiReader(r.Body, strings.NewReader(strings.Repeat("y", more)))
		if more == 0 {
			d.must(t, r)
			continue
		}
		want := fmt.Sprintf("the message has %d octets; max_message_size in [spool] of the config allows %d", len(text)+more, len(text))
		if more > 8*len(text) {
			want = "the message has more than "
		}
		if err := d.refused(t, r); err.Kind != BadMessage || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%d more: %v, want %q", more, err, want)
		}
	}
}

// TestTroubleOfOthers is passed on, and leaves nothing behind.
func TestTroubleOfOthers(t *testing.T) {
	trouble := errors.New("the disk is on fire")
	d := newDesk(site)
	r := plain("")
	r.Body = io.MultiReader(strings.NewReader(complete+"\n"+strings.Repeat("x\n", 100000)), iotest.ErrReader(trouble))
	if _, err := d.accept(r); !errors.Is(err, trouble) {
		t.Errorf("reading: %v", err)
	}
	d.empty(t)
	r.Body = io.MultiReader(strings.NewReader(complete), stuck{})
	if _, err := d.accept(r); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that never reads: %v", err)
	}
	d.store.Close()
	if _, err := d.accept(plain(complete + "\nx\n")); err == nil {
		t.Error("stored in a store that is closed")
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestDraft leaves the commit to the caller.
func TestDraft(t *testing.T) {
	d := newDesk(site)
	var ids []string
	for _, to := range []string{"a@example.net", "b@example.net"} {
		draft, _, err := d.Draft(t.Context(), Request{Body: strings.NewReader(complete), Recipients: []string{to}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(draft.ID()))
		defer func() {
			if n, err := d.store.Commit(t.Context(), draft); n != 1 || err != nil {
				t.Errorf("Commit: %d, %v", n, err)
			}
		}()
	}
	if len(slices.Compact(ids)) != 2 || d.store.open != 2 {
		t.Errorf("ids %q, %d open", ids, d.store.open)
	}
}
