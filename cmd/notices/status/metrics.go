package status

import (
	"io"
	"strconv"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/route"
)

// metrics writes the text exposition format,
// https://prometheus.io/docs/instrumenting/exposition_formats/. All are gauges: a
// command that ends has nothing to count up. What is not known has no line.
type metrics struct {
	out strings.Builder
}

// family begins a metric; its lines follow.
func (m *metrics) family(name, help string) metric {
	m.out.WriteString("# HELP " + name + " " + escapeHelp(help) + "\n# TYPE " + name + " gauge\n")
	return metric{m, name}
}

// metric is one family of lines.
type metric struct {
	m    *metrics
	name string
}

// set writes a line; labels are names and values in turn.
func (f metric) set(value float64, labels ...string) {
	out := &f.m.out
	out.WriteString(f.name)
	for i := 0; i+1 < len(labels); i += 2 {
		opening := ","
		if i == 0 {
			opening = "{"
		}
		out.WriteString(opening + labels[i] + `="` + escapeLabel(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		out.WriteString("}")
	}
	out.WriteString(" " + strconv.FormatFloat(value, 'f', -1, 64) + "\n")
}

// at writes a time, if there is one.
func (f metric) at(t *time.Time, labels ...string) {
	if t != nil {
		f.set(float64(t.Unix()), labels...)
	}
}

func escapeHelp(s string) string { return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s) }

func escapeLabel(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "?"))
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// printMetrics is for a node exporter's textfile collector.
func printMetrics(w io.Writer, s *statusJSON, o Options, now time.Time) error {
	m := &metrics{}
	m.family("notices_build_info", "The version of notices; always 1.").set(1, "version", app.Version)
	m.queue(s, now)
	m.verdict(s.check(now, o), s)
	m.servers(s)
	m.accounts(s)
	m.limits(s.limitsUsed)
	m.lastFlush(s.LastFlush)
	_, err := w.Write([]byte(m.out.String()))
	return err
}

func (m *metrics) queue(s *statusJSON, now time.Time) {
	messages := m.family("notices_messages", "Messages in the spool, by state.")
	messages.set(float64(s.Queued), "state", string(spool.StateQueued))
	messages.set(float64(s.Deferred), "state", string(spool.StateDeferred))
	messages.set(float64(s.Held), "state", string(spool.StateHeld))
	messages.set(float64(s.Failed), "state", string(spool.StateFailed))
	m.family("notices_unreadable_messages", "Messages that cannot be read, or cannot be removed though they are done with.").set(float64(max(len(s.unreadable), len(s.inTrouble)+s.stuck.More)))
	m.family("notices_aside_messages", "Messages and foreign files in aside/, which a person has to look at.").set(float64(s.aside))
	m.family("notices_spool_bytes", "What the messages take on disk.").set(float64(s.Bytes))
	waiting := m.family("notices_waiting_messages", "Deferred messages, by what they wait for: a server, or their recipients.")
	waiting.set(float64(s.WaitingForServer), "for", "server")
	waiting.set(float64(s.WaitingForRecipient), "for", "recipient")
	m.family("notices_oldest_waiting_for_server_seconds", "How long the first of them has been waiting for a server; 0: none does.").set(s.waitingFor(now).Truncate(time.Second).Seconds())
	m.family("notices_due_messages", "Messages that the next flush attempts.").set(float64(s.sends.due))
	m.family("notices_oldest_due_seconds", "How long the oldest due message has been due; 0: none is due.").set(s.dueFor(now).Truncate(time.Second).Seconds())
	if s.OldestQueuedAt != nil {
		age := max(now.Sub(*s.OldestQueuedAt).Truncate(time.Second).Seconds(), 0)
		m.family("notices_oldest_message_seconds", "How long ago the oldest message was queued, failed ones left out.").set(age)
	}
	if s.NextSendAt != nil {
		m.family("notices_next_send_timestamp_seconds", "When the next message is due.").at(s.NextSendAt)
	}
}

// verdict is what --check says.
func (m *metrics) verdict(c *checked, s *statusJSON) {
	m.family("notices_check_level", "What notices status --check says: 0 all is well, 1 warning, 2 critical.").set(float64(c.level))
	m.family("notices_sending_ok", "0: nothing goes out, as far as is known: no server takes mail, or flush fails or refuses the configuration; 1: not so.").set(truth(s.sendingOK()))
	m.family("notices_config_ok", "0: flush refuses the configuration; 1: it does not.").set(truth(s.ConfigError == nil))
}

func (m *metrics) servers(s *statusJSON) {
	if len(s.Servers) == 0 {
		return
	}
	up := m.family("notices_server_up", "0: the last that was met of the server is trouble; 1: it is not.")
	for i := range s.Servers {
		up.set(truth(!s.troubled[i]), "server", s.Servers[i].Name)
	}
	troubles := m.family("notices_server_troubles", "Troubles of the server in a row, 0 once it works.")
	for i := range s.Servers {
		troubles.set(float64(s.health[i].Troubles), "server", s.Servers[i].Name)
	}
	m.some(s, "notices_server_down_until_timestamp_seconds", "When the server is tried again, if it is left alone.",
		func(l *serverJSON) *time.Time { return l.DownUntil })
	m.some(s, "notices_server_down_since_timestamp_seconds", "Since when the last that was met of the server is trouble, if it is.",
		func(l *serverJSON) *time.Time { return l.DownSince })
	m.some(s, "notices_last_test_timestamp_seconds", "When notices test-server last tested the server, if it did.",
		func(l *serverJSON) *time.Time { return l.LastTestedOn })
	if !s.anyTested() {
		return
	}
	ok := m.family("notices_last_test_ok", "1: the last test of the server went well, 0: it did not.")
	for i := range s.Servers {
		if l := &s.Servers[i]; l.LastTestResult != nil {
			ok.set(truth(*l.LastTestResult == "ok"), "server", l.Name)
		}
	}
}

// some writes a time of those servers that have it.
func (m *metrics) some(s *statusJSON, name, help string, of func(*serverJSON) *time.Time) {
	var f metric
	for i := range s.Servers {
		at := of(&s.Servers[i])
		if at == nil {
			continue
		}
		if f.m == nil {
			f = m.family(name, help)
		}
		f.at(at, "server", s.Servers[i].Name)
	}
}

func (s *statusJSON) anyTested() bool {
	for i := range s.Servers {
		if s.Servers[i].LastTestResult != nil {
			return true
		}
	}
	return false
}

func (m *metrics) accounts(s *statusJSON) {
	if len(s.accounts()) == 0 {
		return
	}
	ok := m.family("notices_account_ok", "0: somebody must sign in again, or mend what notices status says; 1: not so.")
	if s.Google != nil {
		ok.set(truth(!s.Google.NeedsPerson), "account", "google")
	}
	if s.Microsoft != nil {
		ok.set(truth(!s.Microsoft.NeedsPerson), "account", "microsoft")
	}
}

func (m *metrics) limits(used []route.Usage) {
	if len(used) == 0 {
		return
	}
	sent := m.family("notices_limit_used_messages", "Messages counted in the window of a [[limit]] that ends now.")
	for i := range used {
		sent.set(float64(used[i].Used), limitLabels(&used[i])...)
	}
	most := m.family("notices_limit_max_messages", "Messages that a [[limit]] allows in its window.")
	for i := range used {
		most.set(float64(used[i].Messages), limitLabels(&used[i])...)
	}
	waiting := m.family("notices_limit_waiting_messages", "Messages that a [[limit]] put off at the last flush that met it.")
	for i := range used {
		waiting.set(float64(used[i].Waiting), limitLabels(&used[i])...)
	}
}

// limitLabels name a limit by all its domains, for no domain is under two.
func limitLabels(u *route.Usage) []string {
	return []string{"domains", strings.Join(u.Domains, ","), "per_seconds", strconv.FormatInt(int64(u.Per.Seconds()), 10)}
}

func (m *metrics) lastFlush(f *flushJSON) {
	if f == nil {
		return
	}
	m.family("notices_last_flush_timestamp_seconds", "When the latest flush ended.").at(f.At)
	did := m.family("notices_last_flush_messages", "What the latest flush did, each message counted once.")
	did.set(float64(f.Sent), "outcome", "sent")
	did.set(float64(f.Deferred), "outcome", "deferred")
	did.set(float64(f.Returned), "outcome", "returned")
	did.set(float64(f.Failed), "outcome", "failed")
}
