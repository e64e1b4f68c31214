package route

import (
	"slices"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/smtptest"
)

// asking is a message to three, with words for each.
func (w *world) asking(r *Route) spool.Delivery {
	w.t.Helper()
	m := &spool.Message{
		ID: "A", Sender: "desk@example.org", Recipients: []string{"a@example.net", "b@example.net", "c@example.net"},
		Body: strings.NewReader("Subject: x\r\n\r\n"), Size: 14, Begin: func() error { return nil },
		DSN: &spool.DSNParams{NotifyEach: []string{"never", "success", "failure"}, Originals: []string{"", "", "rfc822;C@example.net"}, EnvelopeID: "7"},
	}
	d, err := r.Deliver(w.t.Context(), m)
	if err != nil || len(d.Outcomes) != 3 {
		w.t.Fatalf("%+v, %v", d, err)
	}
	return d
}

// TestDSNInSeveralTransactions: each recipient keeps the words of his own, however
// many go into one transaction.
func TestDSNInSeveralTransactions(t *testing.T) {
	for size := 1; size <= 3; size++ {
		srv := smtptest.New(t, smtptest.Options{DSN: true})
		w := real(t, srv)
		w.servers[0].RecipientsPerMessage = size
		r := w.realRun()
		w.asking(r)
		w.end(r)
		var rcpts []string
		for _, command := range srv.Commands() {
			if strings.HasPrefix(command, "RCPT") {
				rcpts = append(rcpts, command)
			}
			if strings.HasPrefix(command, "MAIL") && !strings.HasSuffix(command, " ENVID=7") {
				t.Errorf("%d at once: %s", size, command)
			}
		}
		want := []string{
			"RCPT TO:<a@example.net> NOTIFY=NEVER ORCPT=rfc822;a@example.net",
			"RCPT TO:<b@example.net> NOTIFY=SUCCESS ORCPT=rfc822;b@example.net",
			"RCPT TO:<c@example.net> NOTIFY=FAILURE ORCPT=rfc822;C@example.net",
		}
		if !slices.Equal(rcpts, want) {
			t.Errorf("%d at once: %q", size, rcpts)
		}
	}
}

// TestDSNPerServer: whether success is ours to report depends on the server that took
// the recipient, not on the first one that was asked.
func TestDSNPerServer(t *testing.T) {
	refusing := func(o smtptest.Options) smtptest.Options {
		o.Reply = ever("DATA", "451 4.3.0 disk full")
		return o
	}
	for name, c := range map[string]struct {
		one, two smtptest.Options
		want     spool.Reason
	}{
		"the second offers DSN":     {refusing(smtptest.Options{}), smtptest.Options{DSN: true}, ""},
		"the second does not":       {refusing(smtptest.Options{DSN: true}), smtptest.Options{}, spool.ReasonRelayed},
		"the first does everything": {smtptest.Options{}, smtptest.Options{DSN: true}, spool.ReasonRelayed},
	} {
		w := real(t, smtptest.New(t, c.one), smtptest.New(t, c.two))
		r := w.realRun()
		d := w.asking(r)
		w.end(r)
		for i, want := range []spool.Reason{"", c.want, ""} {
			if o := d.Outcomes[i]; o.Class != spool.Delivered || o.Reason != want {
				t.Errorf("%s: recipient %d: %+v", name, i, o)
			}
		}
	}
}
