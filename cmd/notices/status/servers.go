package status

import (
	"context"
	"slices"
	"time"

	"notices/cmd/notices/signin"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/rate"
	"notices/spool/route"
	"notices/spool/smtpclient"
)

// Servers are the servers that test-server knows.
func Servers(cfg *config.Config) []config.Server {
	list := slices.Clone(cfg.Servers)
	if cfg.Service.Host != "" {
		list = append(list, cfg.Service.Server())
	}
	for _, name := range signin.AccountServers(cfg) {
		c := cfg.Account(name)
		list = append(list, config.Server{Name: name, Host: c.SMTPHost, Port: c.SMTPPort, RatePerMinute: signin.RatePerMinute(name)})
	}
	return list
}

// servers loads what is stored about each server. What was stored about another server with
// the same number, before the config changed, is ignored.
func (c *collector) servers(ctx context.Context) error {
	list := make([]smtpclient.Server, len(c.o.Servers))
	for i, s := range c.o.Servers {
		list[i] = smtpclient.Server{Name: s.Name, Host: s.Host, Port: s.Port, Login: s.Login}
	}
	tests, err := testResults(ctx, c.state, list)
	for i := 0; i < len(list) && err == nil; i++ {
		s := &c.o.Servers[i]
		v := server{Name: s.Name, Host: s.Host, Port: s.Port, Senders: s.Senders, unused: !c.uses(s.Name), rates: rates(s)}
		if v.used, err = rate.UsageOf(ctx, c.state, rate.Server{Name: s.Name, PerMinute: s.RatePerMinute, PerDay: s.RatePerDay}, c.s.now); err == nil {
			v.health, err = spool.LoadState[spool.Health](ctx, c.state, spool.HealthName+s.Name)
		}
		if !v.health.Of(s.Host) {
			v.health = spool.Health{}
		}
		v.judge(&tests[i], c.s.now)
		c.s.Servers = append(c.s.Servers, v)
	}
	return err
}

// rates is a server with nothing but its name, rates and senders.
func rates(c *config.Server) route.Server {
	return route.Server{Server: smtpclient.Server{Name: c.Name}, RatePerMinute: c.RatePerMinute, RatePerDay: c.RatePerDay, Senders: c.Senders}
}

// judge finds the state of a server.
func (v *server) judge(test *spool.TestResult, now time.Time) {
	if !test.At.IsZero() {
		result := "error"
		if test.OK {
			result = "ok"
		}
		v.LastTestedOn, v.LastTestResult, v.LastTestDetail = term.Stamp(test.At), &result, &test.Detail
	}
	h := &v.health
	if h.DownUntil.After(now) {
		v.DownUntil = term.Stamp(h.DownUntil)
	}
	// A test that went well since then shows that the server is back.
	back := test.OK && test.At.After(h.Last.Reply.At)
	if v.failing = h.Troubles > 0 && !back; !v.failing {
		return
	}
	v.DownSince = term.Stamp(h.Began())
	// Its pause may be long over, and no mail has come to it since.
	last := h.DownUntil
	if at := h.Last.Reply.At; at.After(last) {
		last = at
	}
	v.outdated = now.Sub(last) > WarnAge
}

// The result of a test is stored under the server's number. When servers change places in
// the config, their results follow them by host, port and login.

// testResults loads the results of servers, in their order; the zero value for a server without one.
func testResults(ctx context.Context, state spool.State, servers []smtpclient.Server) ([]spool.TestResult, error) {
	stored := make([]spool.TestResult, len(servers))
	for i := range servers {
		var err error
		if stored[i], err = spool.LoadState[spool.TestResult](ctx, state, spool.TestName+servers[i].Name); err != nil {
			return nil, err
		}
	}
	found := make([]spool.TestResult, len(servers))
	for i := range servers {
		found[i] = resultOf(stored, i, &servers[i])
	}
	return found, nil
}

// resultOf picks a server's result: the one in its place if that is its own, else another.
func resultOf(stored []spool.TestResult, i int, s *smtpclient.Server) spool.TestResult {
	if own := &stored[i]; !own.At.IsZero() && own.Of(s.Host, s.Port, s.Login) {
		return *own
	}
	for _, r := range stored {
		if r.Host != "" && r.Of(s.Host, s.Port, s.Login) {
			return r
		}
	}
	return spool.TestResult{}
}

// PlaceTestResults puts the results where their servers stand now, so that a new one does not
// take the place of another server's. An error here is met again, and reported, when the new
// result is stored.
func PlaceTestResults(ctx context.Context, state spool.State, servers []smtpclient.Server) {
	found, err := testResults(ctx, state, servers)
	for i := 0; i < len(found) && err == nil; i++ {
		if found[i].At.IsZero() {
			continue
		}
		err = spool.UpdateState(ctx, state, spool.TestName+servers[i].Name, true, func(r *spool.TestResult) error {
			*r = found[i]
			return nil
		})
	}
}
