package submission

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"notices/spool"
)

// envelope is that of the only message in the store.
func (d *desk) envelope() spool.Envelope {
	d.t.Helper()
	var found []spool.Envelope
	err := d.store.Scan(context.Background(), func(e spool.Entry) bool {
		record, body, err := d.store.Peek(context.Background(), e)
		if err != nil {
			d.t.Fatal(err)
		}
		body.Close()
		found = append(found, record.Envelope)
		return true
	})
	if err != nil || len(found) != 1 {
		d.t.Fatalf("%d messages are queued, %v", len(found), err)
	}
	return found[0]
}

const text = "DATA\nSubject: x\n\ny\n.\nQUIT\n"

// TestDSN: what MAIL and RCPT ask for (RFC 3461) is in the envelope, each recipient's own
// where they differ.
func TestDSN(t *testing.T) {
	for commands, want := range map[string]spool.DSNParams{
		"MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\n": {},
		"MAIL FROM:<a@example.org> RET=HDRS ENVID=run+2B7\nRCPT TO:<b@example.net> NOTIFY=SUCCESS,failure\n": {
			Notify: "success,failure", ReturnHeaders: true, EnvelopeID: "run+7",
		},
		"MAIL FROM:<a@example.org> ret=full\nRCPT TO:<b@example.net> NOTIFY=NEVER\nRCPT TO:<c@example.net> NOTIFY=NEVER\n": {
			Notify: "never", ReturnFull: true,
		},
		"MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net> NOTIFY=NEVER\nRCPT TO:<c@example.net> ORCPT=rfc822;C+2Bx@example.net\nRCPT TO:<d@example.net> NOTIFY=SUCCESS\n": {
			Notify: "success,failure,delay", NotifyEach: []string{"never", "", "success"}, Originals: []string{"", "rfc822;C+x@example.net", ""},
		},
		// The first word on a recipient counts; who was refused has none.
		"MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net> NOTIFY=DELAY\nRCPT TO:<b@example.net> NOTIFY=NEVER\nRCPT TO:<b@@example.net> NOTIFY=NEVER\n": {
			Notify: "delay",
		},
		// RSET ends what was asked, and so does the message before.
		"MAIL FROM:<a@example.org> ENVID=1\nRCPT TO:<b@example.net> NOTIFY=NEVER\nRSET\nMAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\n": {},
		// The quotes of a name, and letters of other scripts.
		"MAIL FROM:<a@example.org> SMTPUTF8\nRCPT TO:<b@example.net> ORCPT=utf-8;j\\x{FC}rgen@example.net\n": {Originals: []string{"utf-8;jürgen@example.net"}},
		// Names of this machine: who is found in their place gets what they have.
		"MAIL FROM:<root>\nRCPT TO:<operator> NOTIFY=SUCCESS\n": {Notify: "success"},
	} {
		d := newDesk(t)
		replies := d.says(crlf(hello + commands + text))
		if got := d.envelope().DSNParams; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v\n%s", commands, got, want, strings.Join(replies, "\n"))
		}
	}
}

// TestDSNMistakes: what cannot be understood is refused, and nothing is taken for it.
func TestDSNMistakes(t *testing.T) {
	const mail = "MAIL FROM:<a@example.org>\n"
	for command, want := range map[string]string{
		"MAIL FROM:<a@example.org> RET=HALF\n":                                    "501 5.5.4",
		"MAIL FROM:<a@example.org> ENVID=\n":                                      "501 5.5.4",
		"MAIL FROM:<a@example.org> ENVID=a+0D+0Ab\n":                              "501 5.5.4",
		"MAIL FROM:<a@example.org> ENVID=" + strings.Repeat("+2B", 40) + "\n":     "501 5.5.4",
		mail + "RCPT TO:<b@example.net> NOTIFY=NEVER,SUCCESS\n":                   "501 5.5.4",
		mail + "RCPT TO:<b@example.net> NOTIFY=\n":                                "501 5.5.4",
		mail + "RCPT TO:<b@example.net> NOTIFY=FAILURE,FAILURE\n":                 "501 5.5.4",
		mail + "RCPT TO:<b@example.net> ORCPT=b@example.net\n":                    "501 5.5.4",
		mail + "RCPT TO:<b@example.net> ORCPT=rfc822;b+0D+0A@example.net\n":       "501 5.5.4",
		mail + "RCPT TO:<b@example.net> ORCPT=utf-8;b\\x{0A}x@example.net\n":      "501 5.5.4",
		mail + "RCPT TO:<b@example.net> ORCPT=rfc822;" + strings.Repeat("x", 500): "501 5.5.4",
	} {
		d := newDesk(t)
		replies := d.says(crlf(hello + strings.TrimSuffix(command, "\n") + "\nQUIT\n"))
		if last := replies[len(replies)-2]; !strings.HasPrefix(last, want) {
			t.Errorf("%q: %q, want %s", command, last, want)
		}
		if got := d.queued(); len(got) > 0 {
			t.Errorf("%q: queued %q", command, got)
		}
	}
}
