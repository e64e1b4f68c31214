package status

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
	"notices/config"
	"notices/spool"
)

// TestStatus: what flush and test-server leave in the state is what a person and a
// program read of it.
func TestStatus(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Now = w.Now.Add(time.Hour)
	w.Queue("A2", "b@example.net")
	w.Try("A2", 1, spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred}, To: []int{0}})
	w.Queue("A3", "c@example.net")
	w.Check(w.Claim("A3").Fail(spool.Event{Kind: spool.GiveUp, At: w.Now}))
	w.SetState(spool.TestName+"1", spool.TestResult{At: w.Now, OK: true, Detail: "250 2.0.0 taken"})
	w.SetState(spool.TestName+"2", spool.TestResult{At: w.Now, Detail: "no connection"})
	w.SetState(spool.HealthName+"1", spool.Health{Troubles: 1, Notice: "no TLS", NoticeAt: w.Now})
	w.SetState(spool.HealthName+"2", spool.Health{DownUntil: w.Now.Add(2 * time.Minute), Troubles: 2, Since: w.Now.Add(-10 * time.Minute),
		Last: spool.Outcome{Reply: spool.Reply{Code: 421, Enhanced: "4.3.2", Text: "closed"}}})
	w.SetState(spool.LastFlushName, spool.LastFlush{At: w.Now, Tally: spool.Tally{Sent: 3, Returned: 1}})
	w.SetState(spool.BouncesReadName, spool.BouncesRead{At: w.Now, Error: "login refused", Read: 7, Bounced: 2})

	w.Check(Run(context.Background(), w.q, withServers(Options{JSON: true})))
	var got, want map[string]any
	w.Check(json.Unmarshal([]byte(w.Out.String()), &got))
	w.Check(json.Unmarshal([]byte(`{
		"queued": 1, "deferred": 1, "held": 0, "failed": 1, "bytes": 0,
		"oldest_queued_at": "2026-11-24T10:00:00Z", "next_send_at": "2026-11-24T10:00:00Z",
		"servers": [
			{"name": "1", "host": "mail.example.org", "port": 587, "last_tested_on": "2026-11-24T11:00:00Z",
			 "last_test_result": "ok", "last_test_detail": "250 2.0.0 taken", "down_until": null, "down_since": null},
			{"name": "2", "host": "backup.example.org", "port": 25, "last_tested_on": "2026-11-24T11:00:00Z",
			 "last_test_result": "error", "last_test_detail": "no connection", "down_until": "2026-11-24T11:02:00Z", "down_since": "2026-11-24T10:50:00Z"}
		],
		"waiting_for_server": 0, "waiting_for_recipient": 1, "waiting_for_server_since": null, "config_error": null, "flush_error": null, "history_error": null,
		"check": {"level": 2, "reasons": ["1 message is due, the oldest for 1h 0m", "1 message failed and could not be returned: notices list --state failed"],
			"remarks": ["server 2 is not accepting mail, for 10m: 421 4.3.2 closed"]},
		"google": null, "microsoft": null, "hosts": null, "buffer": null,
		"last_flush": {"at": "2026-11-24T11:00:00Z", "sent": 3, "deferred": 0, "returned": 1, "failed": 0},
		"bounces": {"at": "2026-11-24T11:00:00Z", "error": "login refused", "read": 7, "bounced": 2}
	}`), &want))
	w.saysUsage(got)
	got["bytes"] = 0.0
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}

	w.Out.Reset()
	w.Check(Run(context.Background(), w.q, withServers(Options{})))
	for _, told := range []string{
		"1 queued, 1 deferred, 0 held, 1 failed", "ok: 250 2.0.0 taken", "error: no connection", "no TLS", "paused until",
		"3 sent, 0 deferred, 1 returned, 0 failed",
	} {
		if !strings.Contains(w.Out.String(), told) {
			t.Errorf("status does not say %q:\n%s", told, w.Out.String())
		}
	}
}

// saysUsage checks that bytes is what all messages take, failed ones included.
func (w *world) saysUsage(got map[string]any) {
	w.T.Helper()
	all, err := w.Store.Usage(context.Background())
	w.Check(err)
	if got["bytes"] != float64(all) || all == 0 {
		w.T.Errorf("bytes: %v, the messages take %d", got["bytes"], all)
	}
}

// TestBytesOfTheUnreadable: what cannot be read takes room too.
func TestBytesOfTheUnreadable(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Queue("A2", "a@example.net")
	w.Store.Damage("A2")
	w.Check(Run(context.Background(), w.q, withServers(Options{JSON: true})))
	var got map[string]any
	w.Check(json.Unmarshal([]byte(w.Out.String()), &got))
	w.saysUsage(got)
}

// TestPauseThatIsOver: a server whose pause is over is not down.
func TestPauseThatIsOver(t *testing.T) {
	w := newWorld(t)
	w.SetState(spool.HealthName+"1", spool.Health{DownUntil: w.Now.Add(-time.Second), Troubles: 1})
	w.Check(Run(context.Background(), w.q, withServers(Options{JSON: true})))
	if strings.Count(w.Out.String(), `"down_until":null`) != 2 {
		t.Error(w.Out.String())
	}
}

// TestMailbox: what --check and a person hear of the mailbox of [bounces].
func TestMailbox(t *testing.T) {
	fakesite.InUTC(t)
	for name, c := range map[string]struct {
		imap string
		last spool.BouncesRead
		days int
		want string // of --check; "": nothing
		told string // to a person
	}{
		"none":         {},
		"not any more": {"", spool.BouncesRead{Error: "login refused"}, 9, "", "failed"},
		"never":        {"imap.example.org:993", spool.BouncesRead{}, -1, "has never been read; cron should run: notices read-bounces", "never; cron"},
		"good":         {"imap.example.org:993", spool.BouncesRead{Read: 7, Bounced: 1}, 1, "", "7 messages read, 1 new bounce of ours"},
		"failed":       {"imap.example.org:993", spool.BouncesRead{Error: "login refused"}, 0, "could not be read 0s ago: login refused; to see what helps, run: notices read-bounces -n -v", "failed"},
		"old":          {"imap.example.org:993", spool.BouncesRead{}, 3, "was last read 3d 0h ago; cron should run: notices read-bounces", "0 messages read"},
	} {
		w := newWorld(t)
		w.SetState(spool.LastFlushName, spool.LastFlush{At: w.Now})
		if c.last.At = w.Now.AddDate(0, 0, -c.days); c.days >= 0 && name != "none" {
			w.SetState(spool.BouncesReadName, c.last)
		}
		cfg := &config.Config{Bounces: config.Bounces{Imap: c.imap}}
		err := Run(context.Background(), w.q, Options{Check: true, Config: cfg, Warn: app.Duration(WarnAge), Critical: app.Duration(CriticalAge)})
		out := w.Out.String()
		if (err != nil) != (c.want != "") || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
		w.Out.Reset()
		w.Check(Run(context.Background(), w.q, Options{Config: cfg, Warn: app.Duration(WarnAge), Critical: app.Duration(CriticalAge)}))
		text := strings.Join(strings.Fields(w.Out.String()), " ")
		if strings.Contains(text, "Mailbox for bounces") != (c.told != "") || !strings.Contains(text, c.told) {
			t.Errorf("%s: %s", name, text)
		}
		w.Out.Reset()
		w.Check(Run(context.Background(), w.q, Options{Prometheus: true, Config: cfg}))
		if ok := strings.Contains(w.Out.String(), "notices_last_read_bounces_ok 1\n"); ok != (name == "good" || name == "old") {
			t.Errorf("%s: %s", name, w.Out.String())
		}
	}
}
