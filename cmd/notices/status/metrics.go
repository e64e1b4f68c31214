package status

import (
	"io"
	"strconv"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/rate"
)

// metrics writes the text exposition format,
// https://prometheus.io/docs/instrumenting/exposition_formats/. All are gauges: a
// command that ends has nothing to count up. What is not known has no line.
type metrics struct {
	out strings.Builder
}

// point is one line of a metric: its value, and names and values of labels in turn.
type point struct {
	value  float64
	labels []string
}

func value[T int | int64 | float64](v T, labels ...string) point { return point{float64(v), labels} }

func truth(yes bool, labels ...string) point {
	if yes {
		return point{1, labels}
	}
	return point{0, labels}
}

// seconds is a length of time, a whole number.
func seconds(d time.Duration) point { return value(d.Truncate(time.Second).Seconds()) }

// metric writes a family with its lines; without any it is left out.
func (m *metrics) metric(name, help string, points ...point) {
	if len(points) == 0 {
		return
	}
	help = strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help)
	m.out.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n")
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	for _, p := range points {
		m.out.WriteString(name)
		for i := 0; i+1 < len(p.labels); i += 2 {
			opening := ","
			if i == 0 {
				opening = "{"
			}
			m.out.WriteString(opening + p.labels[i] + `="` + escape.Replace(strings.ToValidUTF8(p.labels[i+1], "?")) + `"`)
		}
		if len(p.labels) > 0 {
			m.out.WriteString("}")
		}
		m.out.WriteString(" " + strconv.FormatFloat(p.value, 'f', -1, 64) + "\n")
	}
}

// times are points of the times that are known.
func times(list ...*time.Time) []point {
	var points []point
	for _, t := range list {
		if t != nil {
			points = append(points, value(t.Unix()))
		}
	}
	return points
}

// printMetrics is for a node exporter's textfile collector.
func printMetrics(w io.Writer, s *snapshot, c *verdict) error {
	m := &metrics{}
	m.metric("notices_build_info", "The version of notices; always 1.", value(1, "version", app.Version))
	m.queue(s)
	m.metric("notices_check_level", "What notices status --check says: 0 all is well, 1 warning, 2 critical.", value(c.Level))
	m.metric("notices_sending_ok", "0 if no mail can be sent, as far as is known: no server accepts mail, or flush fails or refuses the configuration; else 1.", truth(s.sendingOK()))
	m.metric("notices_config_ok", "0: flush refuses the configuration; 1: it does not.", truth(s.ConfigError == nil))
	m.servers(s)
	var ok []point
	if s.Google != nil {
		ok = append(ok, truth(!s.Google.NeedsPerson, "account", "google"))
	}
	if s.Microsoft != nil {
		ok = append(ok, truth(!s.Microsoft.NeedsPerson, "account", "microsoft"))
	}
	m.metric("notices_account_ok", "0 if somebody must sign in again, or fix what notices status says; else 1.", ok...)
	m.limits(s.limitsUsed)
	if f := s.LastFlush; f != nil {
		m.metric("notices_last_flush_timestamp_seconds", "When the latest flush ended.", times(f.At)...)
		m.metric("notices_last_flush_messages", "What the latest flush did, each message counted once.",
			value(f.Sent, "outcome", "sent"), value(f.Deferred, "outcome", "deferred"),
			value(f.Returned, "outcome", "returned"), value(f.Failed, "outcome", "failed"))
	}
	m.hosts(s.Hosts)
	if b := s.Bounces; b != nil {
		m.metric("notices_last_read_bounces_timestamp_seconds", "When the mailbox of [bounces] was last read, or that was tried.", times(b.At)...)
		m.metric("notices_last_read_bounces_ok", "0: the mailbox of [bounces] could not be read the last time; 1: it was.", truth(b.Error == nil))
		m.metric("notices_last_read_bounces_messages", "What was in the mailbox of [bounces] the last time: messages, and new bounces among them.",
			value(b.Read, "kind", "read"), value(b.Bounced, "kind", "bounced"))
	}
	_, err := io.WriteString(w, m.out.String())
	return err
}

func (m *metrics) queue(s *snapshot) {
	m.metric("notices_messages", "Messages in the spool, by state.",
		value(s.Queued, "state", string(spool.StateQueued)), value(s.Deferred, "state", string(spool.StateDeferred)),
		value(s.Held, "state", string(spool.StateHeld)), value(s.Failed, "state", string(spool.StateFailed)))
	m.metric("notices_unreadable_messages", "Messages that cannot be read, or cannot be removed though they are done with.",
		value(max(len(s.unreadable), len(s.inTrouble)+s.stuck.More)))
	m.metric("notices_aside_messages", "Messages and foreign files in aside/, which a person has to look at.", value(s.aside))
	m.metric("notices_spool_bytes", "What the messages take on disk.", value(s.Bytes))
	m.metric("notices_waiting_messages", "Deferred messages, by what they wait for: a server, or their recipients.",
		value(s.WaitingForServer, "for", "server"), value(s.WaitingForRecipient, "for", "recipient"))
	m.metric("notices_oldest_waiting_for_server_seconds", "How long the first of them has been waiting for a server; 0: none does.", seconds(s.waitingFor()))
	m.metric("notices_due_messages", "Messages that the next flush attempts.", value(s.sends.due))
	m.metric("notices_oldest_due_seconds", "How long the oldest due message has been due; 0 if no message is due.", seconds(s.dueFor()))
	if s.OldestQueuedAt != nil {
		m.metric("notices_oldest_message_seconds", "How long ago the oldest message was queued, failed ones left out.", seconds(s.since(s.OldestQueuedAt)))
	}
	m.metric("notices_next_send_timestamp_seconds", "When the next message is due.", times(s.NextSendAt)...)
}

func (m *metrics) servers(s *snapshot) {
	// each writes a metric with a line for each server that of returns a point for.
	each := func(name, help string, of func(v *server) []point) {
		var points []point
		for i := range s.Servers {
			for _, p := range of(&s.Servers[i]) {
				points = append(points, point{p.value, []string{"server", s.Servers[i].Name}})
			}
		}
		m.metric(name, help, points...)
	}
	each("notices_server_up", "0 if the server's last result was an error; else 1.",
		func(v *server) []point { return []point{truth(!v.failing)} })
	each("notices_server_troubles", "Troubles of the server in a row, 0 once it works.",
		func(v *server) []point { return []point{value(v.health.Troubles)} })
	each("notices_server_down_until_timestamp_seconds", "When the server is tried again, if it is paused.",
		func(v *server) []point { return times(v.DownUntil) })
	each("notices_server_down_since_timestamp_seconds", "Since when the server has failed, if its last result was an error.",
		func(v *server) []point { return times(v.DownSince) })
	each("notices_last_test_timestamp_seconds", "When notices test-server last tested the server, if it did.",
		func(v *server) []point { return times(v.LastTestedOn) })
	each("notices_last_test_ok", "1: the last test of the server went well, 0: it did not.", func(v *server) []point {
		if v.LastTestResult == nil {
			return nil
		}
		return []point{truth(*v.LastTestResult == "ok")}
	})
}

func (m *metrics) limits(used []rate.Usage) {
	var sent, most, waiting []point
	for i := range used {
		u := &used[i]
		// A domain is in one limit at most, so the domains name the limit.
		labels := []string{"domains", strings.Join(u.Domains, ","), "per_seconds", strconv.FormatInt(int64(u.Per.Seconds()), 10)}
		sent, most, waiting = append(sent, value(u.Used, labels...)), append(most, value(u.Messages, labels...)), append(waiting, value(u.Waiting, labels...))
	}
	m.metric("notices_limit_used_messages", "Messages counted in the window of a [[limit]] that ends now.", sent...)
	m.metric("notices_limit_max_messages", "Messages that a [[limit]] allows in its window.", most...)
	m.metric("notices_limit_waiting_messages", "Messages that a [[limit]] put off at the last flush that reached it.", waiting...)
}
