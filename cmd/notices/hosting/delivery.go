package hosting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"notices/cmd/notices/signin"
	"notices/config"
	"notices/spool"
	"notices/spool/feed"
	"notices/spool/flush"
	"notices/spool/route"
)

// newDelivery makes what sends mail as it comes in.
func (h *Host) newDelivery() *flush.Continuous {
	h.delivery = &flush.Continuous{Feed: feed.New(), Open: h.openRun, Ended: h.runEnded}
	return h.delivery
}

// queued is called with each message that was taken in.
func (h *Host) queued(entry spool.Entry, site string) {
	if h.delivery != nil {
		h.delivery.Feed.Queued(entry, site)
	}
}

// openRun makes what a run of delivery works with. A config that flush would refuse does not keep
// mail from being taken in: the mail waits, and each run looks whether the config was repaired.
func (h *Host) openRun(ctx context.Context) (o flush.Options, closeRun func(), err error) {
	cfg, servers, err := h.route()
	if err != nil {
		return o, nil, err
	}
	state := h.store.State()
	signin.UseState(ctx, cfg, servers, state, false)
	way := route.New(route.Options{Servers: servers, Limits: h.Limits(cfg), State: state, Log: h.log, Now: h.Program.Now, KeepOutages: cfg.Spool.KeepHistory})
	o = h.Run(cfg, h.store, h.log)
	o.Deliverer = h.counts.Deliverer(way)
	return o, func() {
		if ctx.Err() == nil {
			way.Probe(ctx)
		}
		if err := way.Close(context.WithoutCancel(ctx)); err != nil {
			h.log.Trouble("what is remembered of the servers", err) // no mail depends on it
		}
		signin.KeepAlive(ctx, servers, h.log)
	}, nil
}

// route is the config for sending, and the servers that it names.
func (h *Host) route() (*config.Config, []route.Server, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sending == nil {
		cfg, servers, err := h.Route()
		if err == nil {
			h.sending = cfg
		}
		return cfg, servers, err
	}
	servers, err := h.Servers(h.sending)
	return h.sending, servers, err
}

// runEnded logs why runs do not work, once.
func (h *Host) runEnded(_ spool.Tally, err error) {
	why := ""
	if err != nil && !errors.Is(err, context.Canceled) {
		why = err.Error()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if why != "" && why != h.failed && !errors.Is(err, spool.ErrUnreachable) { // which the health tells
		h.log.Trouble("sending", err)
	}
	h.failed = why
}

// reload reads the certificate, the rules for sites, and what concerns sending again. What takes
// effect only at the next start is named each time, until then. A config that cannot be used changes
// nothing.
func (h *Host) reload() {
	p := h.Program
	file := *p
	file.Started = nil // to see what has changed
	cfg, err := file.ReadConfig(config.Serving)
	if err != nil {
		h.log.Trouble("the config cannot be reloaded; the previous one stays in use", withCheck(err))
		return
	}
	for _, key := range fixed(h.cfg, cfg) {
		p.Say("%s: %s has changed, which takes effect when serve is started again", cfg.Path, key)
	}
	h.mail.Renew(rules(&cfg.Serve))
	if h.certificate != nil {
		if err := h.certificate.Use(cfg.Serve.CertFile, cfg.Serve.KeyFile); err != nil {
			h.log.Trouble("the certificate cannot be reloaded; the previous one stays in use", withCheck(err))
		}
	}
	if h.delivery != nil && !h.renewSending() {
		return
	}
	p.Say("%s was reloaded", cfg.Path)
}

// withCheck says how to see all that is wrong.
func withCheck(err error) error {
	return fmt.Errorf("%w; to see all that is wrong, run: notices check", err)
}

// renewSending reads what concerns sending again, and reports whether it can be used. If not, the
// config before stays, so that mail goes out while a person repairs it.
func (h *Host) renewSending() bool {
	sending, _, err := h.Route()
	if err != nil {
		h.log.Trouble("the sending part of the config cannot be used; the previous settings stay in use", withCheck(err))
		return false
	}
	h.mu.Lock()
	h.sending = sending
	h.mu.Unlock()
	h.delivery.Renew()
	return true
}

// fixed names the keys that take effect only at the next start, and have changed since this one.
func fixed(started, now *config.Config) (keys []string) {
	note := func(key string, same bool) {
		if !same {
			keys = append(keys, key)
		}
	}
	a, b := &started.Serve, &now.Serve
	note("[serve] listen_tls", slices.Equal(a.ListenTLS, b.ListenTLS))
	note("[serve] listen_starttls", slices.Equal(a.ListenSTARTTLS, b.ListenSTARTTLS))
	note("[serve] listen_https", slices.Equal(a.ListenHTTPS, b.ListenHTTPS))
	note("[serve] listen_metrics", slices.Equal(a.ListenMetrics, b.ListenMetrics))
	note("[serve] deliver", a.Deliver == b.Deliver)
	note("[site] hostname", started.Site.Hostname == now.Site.Hostname)
	note("[spool] dir", started.Spool.Dir == now.Spool.Dir && started.Spool.Buffer == now.Spool.Buffer)
	note("[spool] database", sameSecret(started.Spool.Database, now.Spool.Database))
	note("[spool] database_password", sameSecret(started.Spool.DatabasePassword, now.Spool.DatabasePassword))
	note("[spool] max_message_size", started.Spool.MaxMessageSize == now.Spool.MaxMessageSize)
	note("[log] to", started.Log.To == now.Log.To)
	return keys
}

// compareTime is how long reading a secret may take that is compared.
const compareTime = 5 * time.Second

// sameSecret reports whether two secrets are the same, as far as they can be read.
func sameSecret(started, now config.Secret) bool {
	if !started.IsSet() || !now.IsSet() {
		return started.IsSet() == now.IsSet()
	}
	ctx, done := context.WithTimeout(context.Background(), compareTime)
	defer done()
	a, err := started.Read(ctx)
	b, e := now.Read(ctx)
	return errors.Join(err, e) != nil || a == b
}
