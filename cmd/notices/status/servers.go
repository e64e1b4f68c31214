package status

import (
	"context"
	"slices"
	"time"

	"notices/cmd/notices/signin"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/route"
	"notices/spool/smtpclient"
)

// Servers are those that test-server knows.
func Servers(cfg *config.Config) []config.Server {
	list := slices.Clone(cfg.Servers)
	for _, name := range signin.AccountServers(cfg) {
		c := cfg.Account(name)
		list = append(list, config.Server{Name: name, Host: c.SMTPHost, Port: c.SMTPPort, RatePerMinute: signin.RatePerMinute(name)})
	}
	return list
}

// inUse reports whether mail goes out through the server of that name.
func inUse(cfg *config.Config, name string) bool {
	if via := cfg.Delivery.Via; via != "" && via != config.ViaServers {
		return name == via
	}
	return slices.ContainsFunc(cfg.Servers, func(s config.Server) bool { return s.Name == name })
}

// old reports whether the trouble of a server is an old word: the pause after it is long
// over, and nothing came to the server since. Nobody knows then how it is.
func old(h *spool.Health, now time.Time) bool {
	last := h.DownUntil
	if at := h.Last.Reply.At; at.After(last) {
		last = at
	}
	return now.Sub(last) > WarnAge
}

// noServer reports whether no server takes mail, by the last word of each, and since when.
// fresh: none of the words is an old one.
func (s *statusJSON) noServer() (since time.Time, fresh, yes bool) {
	fresh = true
	for i := range s.Servers {
		switch {
		case s.Servers[i].spare:
			continue
		case !s.troubled[i]:
			return time.Time{}, false, false
		}
		fresh = fresh && !s.stale[i]
		if began := s.health[i].Began(); began.After(since) {
			since = began
		}
		yes = true
	}
	return since, fresh, yes
}

// tested are servers as far as the results of their tests go.
func tested(servers []config.Server) []smtpclient.Server {
	list := make([]smtpclient.Server, len(servers))
	for i, c := range servers {
		list[i] = smtpclient.Server{Name: c.Name, Host: c.Host, Port: c.Port, Login: c.Login}
	}
	return list
}

// server finds what is kept of a server. That of another one, which stood in its place in
// the config before, is not shown.
func (s *statusJSON) server(ctx context.Context, state spool.State, c *config.Server, test spool.TestResult, now time.Time) error {
	health, err := spool.LoadState[spool.Health](ctx, state, spool.HealthName+c.Name)
	if err != nil {
		return err
	}
	if !health.Of(c.Host) {
		health = spool.Health{}
	}
	used, err := route.UsedRates(ctx, state, rates(c), now)
	if err != nil {
		return err
	}
	line := serverJSON{Name: c.Name, Host: c.Host, Port: c.Port, perMinute: c.RatePerMinute, perDay: c.RatePerDay, Senders: c.Senders}
	if !test.At.IsZero() {
		result := "error"
		if test.OK {
			result = "ok"
		}
		line.LastTestedOn, line.LastTestResult, line.LastTestDetail = term.Stamp(test.At), &result, &test.Detail
	}
	if health.DownUntil.After(now) {
		line.DownUntil = term.Stamp(health.DownUntil)
	}
	// A test that went well since then shows that the server is back.
	back := test.OK && test.At.After(health.Last.Reply.At)
	troubled := health.Troubles > 0 && !back
	if troubled {
		line.DownSince = term.Stamp(health.Began())
	}
	s.troubled = append(s.troubled, troubled)
	s.stale = append(s.stale, troubled && old(&health, now))
	s.Servers = append(s.Servers, line)
	s.health = append(s.health, health)
	s.rates = append(s.rates, used)
	return nil
}

// rates is a server as far as its rates go.
func rates(c *config.Server) route.Server {
	return route.Server{Server: smtpclient.Server{Name: c.Name}, RatePerMinute: c.RatePerMinute, RatePerDay: c.RatePerDay}
}
