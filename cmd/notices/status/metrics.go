package status

import (
	"io"
	"strconv"
	"strings"

	"notices/cmd/internal/app"
	"notices/cmd/notices/metrics"
	"notices/spool"
	"notices/spool/rate"
)

// exporter writes the metrics. All are gauges: a command that ends has nothing to count up.
type exporter struct{ metrics.Page }

// printMetrics is for a node exporter's textfile collector.
func printMetrics(w io.Writer, s *snapshot, c *verdict) error {
	m := &exporter{}
	m.Gauge("notices_build_info", "The version of notices; always 1.", metrics.Value(1, "version", app.Version))
	m.queue(s)
	m.Gauge("notices_check_level", "What notices status --check says: 0 all is well, 1 warning, 2 critical.", metrics.Value(c.Level))
	m.Gauge("notices_sending_ok", "0 if no mail can be sent, as far as is known: no server accepts mail, or flush fails or refuses the configuration; else 1.", metrics.Truth(s.sendingOK()))
	m.Gauge("notices_config_ok", "0: flush refuses the configuration; 1: it does not.", metrics.Truth(s.ConfigError == nil))
	m.servers(s)
	var ok []metrics.Point
	if s.Google != nil {
		ok = append(ok, metrics.Truth(!s.Google.NeedsPerson, "account", "google"))
	}
	if s.Microsoft != nil {
		ok = append(ok, metrics.Truth(!s.Microsoft.NeedsPerson, "account", "microsoft"))
	}
	m.Gauge("notices_account_ok", "0 if somebody must sign in again, or fix what notices status says; else 1.", ok...)
	m.limits(s.limitsUsed)
	if f := s.LastFlush; f != nil {
		m.Gauge("notices_last_flush_timestamp_seconds", "When the latest flush ended.", metrics.Times(f.At)...)
		m.Gauge("notices_last_flush_messages", "What the latest flush did, each message counted once.",
			metrics.Value(f.Sent, "outcome", "sent"), metrics.Value(f.Deferred, "outcome", "deferred"),
			metrics.Value(f.Returned, "outcome", "returned"), metrics.Value(f.Failed, "outcome", "failed"))
	}
	m.hosts(s.Hosts)
	m.buffer(s)
	if b := s.Bounces; b != nil {
		m.Gauge("notices_last_read_bounces_timestamp_seconds", "When the mailbox of [bounces] was last read, or that was tried.", metrics.Times(b.At)...)
		m.Gauge("notices_last_read_bounces_ok", "0: the mailbox of [bounces] could not be read the last time; 1: it was.", metrics.Truth(b.Error == nil))
		m.Gauge("notices_last_read_bounces_messages", "What was in the mailbox of [bounces] the last time: messages, and new bounces among them.",
			metrics.Value(b.Read, "kind", "read"), metrics.Value(b.Bounced, "kind", "bounced"))
	}
	_, err := io.WriteString(w, m.Text())
	return err
}

func (m *exporter) queue(s *snapshot) {
	m.Gauge("notices_messages", "Messages in the spool, by state.",
		metrics.Value(s.Queued, "state", string(spool.StateQueued)), metrics.Value(s.Deferred, "state", string(spool.StateDeferred)),
		metrics.Value(s.Held, "state", string(spool.StateHeld)), metrics.Value(s.Failed, "state", string(spool.StateFailed)))
	m.Gauge("notices_unreadable_messages", "Messages that cannot be read, or cannot be removed though they are done with.",
		metrics.Value(max(len(s.unreadable), len(s.inTrouble)+s.stuck.More)))
	m.Gauge("notices_aside_messages", "Messages and foreign files in aside/, which a person has to look at.", metrics.Value(s.aside))
	m.Gauge("notices_spool_bytes", "What the messages take on disk.", metrics.Value(s.Bytes))
	m.Gauge("notices_waiting_messages", "Deferred messages, by what they wait for: a server, or their recipients.",
		metrics.Value(s.WaitingForServer, "for", "server"), metrics.Value(s.WaitingForRecipient, "for", "recipient"))
	m.Gauge("notices_oldest_waiting_for_server_seconds", "How long the first of them has been waiting for a server; 0: none does.", metrics.Seconds(s.waitingFor()))
	m.Gauge("notices_due_messages", "Messages that the next flush attempts.", metrics.Value(s.sends.due))
	m.Gauge("notices_oldest_due_seconds", "How long the oldest due message has been due; 0 if no message is due.", metrics.Seconds(s.dueFor()))
	if s.OldestQueuedAt != nil {
		m.Gauge("notices_oldest_message_seconds", "How long ago the oldest message was queued, failed ones left out.", metrics.Seconds(s.since(s.OldestQueuedAt)))
	}
	m.Gauge("notices_next_send_timestamp_seconds", "When the next message is due.", metrics.Times(s.NextSendAt)...)
}

func (m *exporter) servers(s *snapshot) {
	// each writes a metric with a line for each server that of returns a point for.
	each := func(name, help string, of func(v *server) []metrics.Point) {
		var points []metrics.Point
		for i := range s.Servers {
			for _, p := range of(&s.Servers[i]) {
				points = append(points, p.With("server", s.Servers[i].Name))
			}
		}
		m.Gauge(name, help, points...)
	}
	each("notices_server_up", "0 if the server's last result was an error; else 1.",
		func(v *server) []metrics.Point { return []metrics.Point{metrics.Truth(!v.failing)} })
	each("notices_server_troubles", "Troubles of the server in a row, 0 once it works.",
		func(v *server) []metrics.Point { return []metrics.Point{metrics.Value(v.health.Troubles)} })
	each("notices_server_down_until_timestamp_seconds", "When the server is tried again, if it is paused.",
		func(v *server) []metrics.Point { return metrics.Times(v.DownUntil) })
	each("notices_server_down_since_timestamp_seconds", "Since when the server has failed, if its last result was an error.",
		func(v *server) []metrics.Point { return metrics.Times(v.DownSince) })
	each("notices_last_test_timestamp_seconds", "When notices test-server last tested the server, if it did.",
		func(v *server) []metrics.Point { return metrics.Times(v.LastTestedOn) })
	each("notices_last_test_ok", "1: the last test of the server went well, 0: it did not.", func(v *server) []metrics.Point {
		if v.LastTestResult == nil {
			return nil
		}
		return []metrics.Point{metrics.Truth(*v.LastTestResult == "ok")}
	})
}

func (m *exporter) limits(used []rate.Usage) {
	var sent, most, waiting []metrics.Point
	for i := range used {
		u := &used[i]
		// A domain is in one limit at most, so the domains name the limit.
		labels := []string{"domains", strings.Join(u.Domains, ","), "per_seconds", strconv.FormatInt(int64(u.Per.Seconds()), 10)}
		sent, most, waiting = append(sent, metrics.Value(u.Used, labels...)), append(most, metrics.Value(u.Messages, labels...)), append(waiting, metrics.Value(u.Waiting, labels...))
	}
	m.Gauge("notices_limit_used_messages", "Messages counted in the window of a [[limit]] that ends now.", sent...)
	m.Gauge("notices_limit_max_messages", "Messages that a [[limit]] allows in its window.", most...)
	m.Gauge("notices_limit_waiting_messages", "Messages that a [[limit]] put off at the last flush that reached it.", waiting...)
}
