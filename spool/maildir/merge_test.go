package maildir

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/maildir/lines"
	"notices/spool/maildir/sidecar"
)

// longest is an envelope of as many recipients as there may be, each as long in JSON as one
// can be that passes.
func longest(t *testing.T) spool.Envelope {
	t.Helper()
	env := testEnvelope()
	env.Recipients, env.DSNParams = nil, spool.DSNParams{}
	domain := "@" + strings.Repeat(strings.Repeat("x", 46)+".", 4) + "x"
	for i := range spool.MaxRecipients {
		address := fmt.Sprintf(`"%s%05d"`, strings.Repeat(`\"`, 28), i) + domain
		env.Recipients = append(env.Recipients, address)
	}
	must(t, spool.CheckAddress(env.Recipients[0]))
	return env
}

// TestLongestMessageIsReadAgain: what may be taken in can be read, before an attempt and after
// attempts in which each recipient was deferred in words of its own.
func TestLongestMessageIsReadAgain(t *testing.T) {
	env := longest(t)
	line, _, err := sidecar.New(env)
	must(t, err)
	if len(line) > spool.MaxRecipientRoom {
		t.Errorf("the envelope has %d octets, more than spool.MaxRecipientRoom", len(line))
	}
	s := open(t)
	d, err := s.New(t.Context(), "0CKRP4W3R1A9B8C7")
	must(t, err)
	_, err = d.Write([]byte("Subject: x\r\n\r\nText.\r\n"))
	must(t, err)
	must(t, d.Seal(env))
	_, err = s.Commit(t.Context(), d)
	must(t, err)
	for n := 1; n <= 3; n++ {
		e, err := spool.FindOne(t.Context(), s, "0CKRP4W3R1A9B8C7")
		must(t, err)
		c, err := s.Claim(t.Context(), e)
		must(t, err)
		if got := len(c.Record().Pending()); got != spool.MaxRecipients-n+1 || c.Record().Attempts != n-1 {
			t.Fatalf("attempt %d: %d recipients are pending after %d attempts", n, got, c.Record().Attempts)
		}
		must(t, c.Begin(spool.Event{Kind: spool.Try, At: unixTime(1_900_000_000), N: n, Next: unixTime(1_900_000_300)}))
		before := c.(*claim).side.End
		must(t, c.Append(refusals(n), spool.Lazy))
		size := c.(*claim).side.End
		if room := int64(sidecar.DeferralRoom(spool.MaxRecipients)); size-before > room+64<<10 {
			t.Errorf("attempt %d took %d octets of the record, %d may be", n, size-before, room)
		}
		r := c.Record().Recipients
		if r[0].State != spool.RecipientFailed || r[0].Outcome.Reply.Text != "no such user 0" {
			t.Errorf("who failed: %+v", r[0])
		}
		if last := r[spool.MaxRecipients-1]; last.State != spool.RecipientPending || last.Outcome.Reply.Code != 450 || last.Outcome.Reply.Enhanced != "4.1.1" {
			t.Errorf("who was deferred: %+v", last)
		}
		must(t, c.Release())
	}
	if 160*int64(sidecar.DeferralRoom(spool.MaxRecipients))+spool.MaxRecipientRoom+4<<20+spool.MaxRecipients*1200 > sidecar.MaxSize/2 {
		t.Error("the sum in the comment of maxSidecar is wrong")
	}
}

// refusals is what attempt n brings: one recipient fails, all others are deferred.
func refusals(n int) spool.Event {
	e := spool.Event{Kind: spool.Result, At: unixTime(1_900_000_000), N: n, Next: unixTime(1_900_000_300)}
	for i := n - 1; i < spool.MaxRecipients; i++ {
		o := spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: spool.Reply{
			Server: "1", Host: "mail.example.org", Code: 450, Enhanced: "4.1.1", Text: fmt.Sprintf("%d: greylisted %s", i, strings.Repeat("x", 100)), At: unixTime(1_900_000_000),
		}}
		if i == n-1 {
			o.Class, o.Reply.Code, o.Reply.Enhanced, o.Reply.Text = spool.Failed, 550, "5.1.1", fmt.Sprint("no such user ", i)
		}
		e.Results = append(e.Results, spool.Answer{Outcome: o, To: []int{i}})
	}
	return e
}

// TestFewKeepTheirWords: replies to a thousand recipients stay as they are.
func TestFewKeepTheirWords(t *testing.T) {
	e := refusals(spool.MaxRecipients - 900)
	got := sidecar.MergeReplies(e, 1000)
	a, _, _ := lines.New(lines.Start, e)
	b, _, _ := lines.New(lines.Start, got)
	if !bytes.Equal(a, b) {
		t.Error("they were condensed")
	}
}
