// Package hosting puts together what notices serve consists of: the way in (submission), the way
// out (flush.Continuous over a route), the broker, the metrics, and the process around them.
package hosting

import (
	"cmp"
	"context"
	"net/http"
	"sync"

	"notices/cmd/internal/app"
	"notices/cmd/notices/metrics"
	"notices/cmd/notices/serving"
	"notices/cmd/notices/signin"
	"notices/config"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/maillog"
	"notices/spool/rate"
	"notices/spool/route"
	"notices/spool/service"
	"notices/spool/submission"
)

// Host is a notices serve. Its exported fields are set before Serve.
type Host struct {
	Program *app.Program
	// Route reads the config for sending, and makes the servers that it names. The error is what
	// flush refuses.
	Route func() (*config.Config, []route.Server, error)
	// Servers makes the servers of such a config once more.
	Servers func(*config.Config) ([]route.Server, error)
	// Run makes what a run of flush works with, but for its route.
	Run func(*config.Config, spool.Store, *maillog.Log) flush.Options
	// Limits are the [[limit]] sections.
	Limits func(*config.Config) []rate.Limit
	// Status writes what notices status --prometheus shows.
	Status func(context.Context, *metrics.Page) error

	cfg         *config.Config // as serve was started with it, for taking in mail
	listeners   serving.Listeners
	certificate *serving.Certificate // nil if no listener uses TLS
	store       spool.Store
	log         *maillog.Log
	mail        *submission.Server
	delivery    *flush.Continuous // nil if only flush sends
	counts      *metrics.Service

	mu      sync.Mutex
	sending *config.Config // for sending; nil if it was not read yet, or could not be used
	failed  string         // why the last run did not work; empty if it did
}

// Serve opens with root's rights what needs them, becomes the owner of the spool, and serves until
// a signal ends it.
func (h *Host) Serve(ctx context.Context) error {
	p := h.Program
	p.Verbose = true // the log is all that a person sees of it
	cfg, err := p.ReadConfig(config.Serving)
	if err != nil {
		return err
	}
	h.cfg, p.Started = cfg, cfg
	if h.listeners, err = serving.Listen(cfg); err != nil {
		return err
	}
	defer h.listeners.Close()
	if h.certificate, err = h.loadCertificate(); err != nil {
		return err
	}
	if err = p.BecomeOwner(cfg); err != nil {
		return err
	}
	if cfg.Serve.Deliver {
		p.Reuse = reuse
	}
	if h.store, err = p.OpenStore(cfg); err != nil {
		return err
	}
	h.log = p.OpenLog(cfg)
	defer p.CloseLog(h.log)
	err = h.run(ctx)
	return cmp.Or(err, h.store.Close())
}

// reuse is how many messages are passed on with their files open, and how many pairs of files are kept
// for others: as many as are handed in and sent within a few syncs of the folder.
const reuse = 128

// loadCertificate reads the certificate of the TLS listeners. It is nil if there are no such listeners.
func (h *Host) loadCertificate() (*serving.Certificate, error) {
	cfg, l := h.cfg, h.listeners
	s := &cfg.Serve
	switch {
	case len(l[serving.TLS])+len(l[serving.StartTLS])+len(l[serving.HTTPS]) == 0:
		return nil, nil
	case s.CertFile == "":
		return nil, app.Fail(app.ExitConfig, "%s: cert_file and key_file in [serve] are not set: nobody can connect without a certificate", cfg.Path)
	}
	c, err := serving.LoadCertificate(s.CertFile, s.KeyFile, h.Program.Now)
	if err != nil {
		return nil, cfg.Fault("serve", 0, "cert_file", err)
	}
	return c, nil
}

// run serves until a signal ends it.
func (h *Host) run(ctx context.Context) error {
	p, cfg := h.Program, h.cfg
	sites := &service.Register{State: h.store.State(), Now: p.Now}
	health := serving.NewHealth(h.store.Writable, h.log, p.Now)
	health.Say = p.Say
	h.counts = metrics.NewService(p.Now)
	h.mail = h.newMail(sites)
	h.counts.Connections, h.counts.Status = h.mail.Connections, h.Status
	_, shared := h.store.(spool.Hosts)
	o := serving.Options{
		Listeners: h.listeners, Certificate: h.certificate, Mail: h.mail,
		HTTPS: h.web(health, sites), Metrics: metrics.Handler(ctx, p.Now, h.counts.Show), Health: health, Watch: shared, Reload: h.reload, Log: h.log,
	}
	if cfg.Serve.Deliver {
		o.Deliver = h.newDelivery().Run
		h.counts.Waiting = h.delivery.Feed.Waiting
	}
	p.Say("serving on %s", h.listeners)
	err := serving.Run(ctx, o)
	p.Say("stopped")
	return err
}

// newMail is what takes mail in.
func (h *Host) newMail(sites *service.Register) *submission.Server {
	p, cfg := h.Program, h.cfg
	s := &submission.Server{
		Intake: p.Intake(cfg, h.store, h.log), Hostname: p.FindHostname(cfg, true)(), Rules: rules(&cfg.Serve),
		Sites: sites, Queued: h.queued, Meter: h.counts, Now: p.Now,
	}
	if h.certificate != nil {
		s.TLS = h.certificate.Config()
	}
	return s
}

// rules are what sites may hand in, and where it comes from.
func rules(s *config.Serve) submission.Rules {
	return submission.Rules{
		From: s.Address, MessagesPerMinute: s.MessagesPerMinute, MessagesPerDay: s.MessagesPerDay,
		MaxRecipients: s.MaxRecipients, MaxConnections: s.MaxConnections,
	}
}

// web is what is served by HTTPS: whether mail can be taken, and the broker.
func (h *Host) web(health *serving.Health, sites *service.Register) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", health)
	broker, err := signin.Broker(h.Program, h.cfg, sites, h.log)
	if err != nil {
		h.log.Trouble("broker", err)
	}
	for _, name := range signin.Names() {
		mux.Handle("/"+name+"/", broker)
	}
	return mux
}
