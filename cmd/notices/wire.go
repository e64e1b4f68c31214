package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"notices/cmd/notices/dkimkey"
	"notices/cmd/notices/past"
	"notices/cmd/notices/queue"
	"notices/cmd/notices/signin"
	"notices/cmd/notices/sites"
	"notices/config"
	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/drop"
	"notices/spool/flush"
	"notices/spool/intake"
	"notices/spool/maillog"
	"notices/spool/rate"
	"notices/spool/route"
	"notices/spool/schedule"
	"notices/spool/service"
	"notices/spool/smtpclient"
)

// Here the objects are made from the config. A command asks only for what it needs: enqueue
// reads no server, no secret and no CA file, and works when they are broken.

// withQueue opens the spool and the log for work, and closes them afterwards. A command that
// works on messages in the queue and hands none in needs config.Queue: it shows them even if
// the config is wrong in anything but [spool] dir. The work shows messages and changes none: what
// waits in the folder beside a database is among them.
func (a *cli) withQueue(need config.Need, work func(*queue.Queue) error) error {
	return withStore(a, need, func(cfg *config.Config) (spool.Store, error) {
		return beside(a, cfg).View()
	}, func(_ *config.Config, q *queue.Queue) error { return work(q) })
}

// withMessages is withQueue for what only lists messages. While the database cannot be reached it
// lists those in the folder beside it, and fails all the same.
func withMessages(a *cli, work func(*queue.Queue) error) error {
	var away error
	open := func(cfg *config.Config) (spool.Store, error) {
		b := beside(a, cfg)
		store, err := b.View()
		if !errors.Is(err, spool.ErrUnreachable) {
			return store, err
		}
		if w, e := b.Count(context.Background()); e != nil || w.Messages == 0 {
			return nil, err
		}
		away = err
		return b.Open()
	}
	err := withStore(a, config.Queue, open, func(_ *config.Config, q *queue.Queue) error { return work(q) })
	return cmp.Or(away, err)
}

// withChanges is withQueue for work that changes messages. What waits in the folder beside a
// database is moved there first.
func withChanges(ctx context.Context, a *cli, need config.Need, work func(*queue.Queue) error) error {
	open := func(cfg *config.Config) (spool.Store, error) {
		store, err := a.OpenStore(cfg)
		return store, beside(a, cfg).Explain(err)
	}
	return withStore(a, need, open, func(cfg *config.Config, q *queue.Queue) error {
		if err := beside(a, cfg).Move(ctx, q.Store, q.Log); err != nil {
			return err
		}
		return work(q)
	})
}

func withStore(a *cli, need config.Need, open func(*config.Config) (spool.Store, error), work func(*config.Config, *queue.Queue) error) error {
	cfg, err := a.Load(need)
	if err != nil {
		return withOwnerHint(err, systemFolders()...)
	}
	err = func() error {
		store, err := open(cfg)
		if err != nil {
			return err
		}
		log := a.OpenLog(cfg)
		defer a.CloseLog(log)
		err = work(cfg, &queue.Queue{Program: a.Program, Store: store, Policy: policy(cfg), Site: a.bounceSite(cfg), Log: log, HandIn: a.handIn(cfg, store, log), Random: a.random, NoHistory: cfg.Spool.KeepHistory == 0})
		return cmp.Or(err, store.Close())
	}()
	return withOwnerHint(err, cfg.Spool.Dir)
}

// withPast opens the spool for what looks back, and closes it afterwards.
func (a *cli) withPast(work func(*past.Past) error) error {
	cfg, err := a.Load(config.Queue)
	if err != nil {
		return withOwnerHint(err, systemFolders()...)
	}
	store, err := beside(a, cfg).View()
	if err == nil {
		err = work(&past.Past{Program: a.Program, Source: store, FindSite: findSite(a, store), Kept: cfg.Spool.KeepHistory > 0, ConfigFile: cfg.Path})
		err = cmp.Or(err, store.Close())
	}
	return withOwnerHint(err, cfg.Spool.Dir)
}

// findSite finds the site of a hosted service that a filter means.
func findSite(a *cli, store spool.Store) func(context.Context, string) (*service.Site, error) {
	return func(ctx context.Context, id string) (*service.Site, error) {
		return sites.Find(ctx, &service.Register{State: store.State(), Now: a.Now}, store, id)
	}
}

// runOptions are what a run of flush works with, but for its route.
func runOptions(a *cli, cfg *config.Config, store spool.Store, log *maillog.Log) flush.Options {
	return flush.Options{
		Store: store, Policy: policy(cfg), Site: a.bounceSite(cfg), Log: log, Now: a.Now, Random: a.random,
		HandIn: a.handIn(cfg, store, log), WarnAfter: cfg.Retry.WarnAfter,
		KeepFailed: cfg.Spool.KeepFailed, KeepHistory: cfg.Spool.KeepHistory,
	}
}

func policy(cfg *config.Config) schedule.Policy {
	return schedule.Policy{
		ShortRange: cfg.Retry.ShortRange,
		ShortDelay: cfg.Retry.ShortDelay,
		LongDelay:  cfg.Retry.LongDelay,
		GiveUp:     cfg.Retry.GiveUp,
	}
}

func (a *cli) bounceSite(cfg *config.Config) bounce.Site {
	return bounce.Site{Name: cfg.Site.Name, Address: cfg.Site.Address, Admin: cfg.Site.Admin, FindHostname: a.FindHostname(cfg, true)}
}

// servers are the servers that mail goes out through. Secrets are read when a server asks for
// one, CA files now; tokens need signin.UseState.
func (a *cli) servers(cfg *config.Config) (list []route.Server, err error) {
	switch cfg.Delivery.Via {
	case config.ViaServers:
		list, err = a.configServers(cfg)
	case config.ViaService:
		list = make([]route.Server, 1)
		list[0], err = serviceServer(a, cfg)
	default:
		list = make([]route.Server, 1)
		list[0], err = signin.Server(a.Program, cfg, cfg.Delivery.Via)
	}
	return list, errors.Join(err, dkimkey.Use(cfg, list))
}

// serviceServer is the Integrated Email Service of [service].
func serviceServer(a *cli, cfg *config.Config) (route.Server, error) {
	c := cfg.Service.Server()
	s, err := a.server(&c, a.FindHostname(cfg, true))
	if err != nil {
		err = cfg.Fault("service", 0, "ca_file", err)
	}
	return s, err
}

func (a *cli) configServers(cfg *config.Config) ([]route.Server, error) {
	hello := a.FindHostname(cfg, true)
	list := make([]route.Server, len(cfg.Servers))
	var errs []error
	for i := range cfg.Servers {
		s, err := a.server(&cfg.Servers[i], hello)
		if err != nil {
			errs = append(errs, cfg.Fault("server", i+1, "ca_file", err))
		}
		if auth := cfg.Servers[i].Auth; auth != config.AuthPassword {
			errs = append(errs, signin.UseTokens(a.Program, cfg, &s, auth))
		}
		list[i] = s
	}
	return list, errors.Join(errs...)
}

func (a *cli) server(c *config.Server, hello func() string) (route.Server, error) {
	s := route.Server{
		Server: smtpclient.Server{
			Name:                c.Name,
			Host:                c.Host,
			Port:                c.Port,
			TLS:                 smtpclient.TLSMode(c.TLS), // the same words
			AllowNonSecure:      c.AllowNonSecure,
			AllowNonSecureLogin: c.AllowNonSecureLogin,
			Fingerprint:         c.TLSFingerprint,
			FindHello:           hello,
			Login:               c.Login,
			SecretKey:           c.Password.Key(),
			Timeout:             c.Timeout,
			DataTimeout:         c.DataTimeout,
			Now:                 a.Now,
		},
		Connections:           c.Connections,
		MessagesPerConnection: c.MessagesPerConnection,
		RecipientsPerMessage:  c.RecipientsPerMessage,
		RatePerMinute:         c.RatePerMinute,
		RatePerDay:            c.RatePerDay,
		Senders:               c.Senders,
	}
	switch {
	case c.Login == "" || c.Auth != config.AuthPassword:
	case c.Password.IsToken():
		s.Tokens = c.Password
	default:
		s.Password = c.Password.Read
	}
	if c.CAFile == "" {
		return s, nil
	}
	s.Roots = x509.NewCertPool()
	return s, signin.AddCertificates(s.Roots, c.CAFile)
}

// allServers are all configured servers: those that mail goes out through, the other ones in
// the config, the service, and the accounts' own.
func (a *cli) allServers(cfg *config.Config) ([]route.Server, error) {
	list, err := a.configServers(cfg)
	if cfg.Service.Host != "" {
		s, e := serviceServer(a, cfg)
		if err = cmp.Or(err, e); e == nil {
			list = append(list, s)
		}
	}
	for _, name := range signin.AccountServers(cfg) {
		s, e := signin.Server(a.Program, cfg, name)
		if err = cmp.Or(err, e); e == nil {
			list = append(list, s)
		}
	}
	return list, errors.Join(err, dkimkey.Use(cfg, list))
}

// limits are the [[limit]] sections of the config.
func limits(cfg *config.Config) []rate.Limit {
	list := make([]rate.Limit, len(cfg.Limits))
	for i, l := range cfg.Limits {
		list[i] = rate.Limit{Domains: l.Domains, Messages: l.Messages, Per: l.Per}
	}
	return list
}

// checkLimits refuses a domain that is in two of them. The config refuses one that is written
// alike; only here it is known that bücher.example is xn--bcher-kva.example.
func checkLimits(cfg *config.Config) error {
	domain, first, second, ok := rate.Duplicate(limits(cfg))
	if !ok {
		return nil
	}
	return cfg.Fault("limit", second+1, "domains", fmt.Errorf("names %s a second time: it is in [[limit]] %d already, perhaps in its other form, xn-- or not", domain, first+1))
}

// handIn takes over what other users of the machine handed in. Each message goes through
// intake once more under the rules of this config: the user's config may be another one.
func (a *cli) handIn(cfg *config.Config, store spool.Store, log *maillog.Log) flush.HandIn {
	if a.Store != nil || !dropPossible(cfg) {
		return nil
	}
	in := a.Intake(cfg, store, log)
	in.MaxSize = drop.MaxSize(cfg.Spool.MaxMessageSize)
	t := &drop.Collector{
		Dir: cfg.Spool.Dir, Store: store, MaxSize: in.MaxSize, Log: log, Now: a.Now,
		Accept: func(ctx context.Context, e spool.Envelope, body io.Reader) (spool.Draft, *spool.Envelope, error) {
			r := intake.RequestOf(e, body)
			r.ReturnBad = true
			d, env, err := in.Draft(ctx, r)
			if errors.As(err, new(*intake.Error)) {
				err = fmt.Errorf("%w: %w", drop.ErrRefused, err)
			}
			return d, env, err
		},
	}
	return t.Collect
}
