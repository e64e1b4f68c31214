package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"notices/config"
	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/maillog"
	"notices/spool/route"
	"notices/spool/schedule"
	"notices/spool/smtpclient"
)

// Here the config becomes objects. A command asks for what it needs and for no
// more: enqueue reads no server, no secret and no CA file, and works when they are
// broken.

// closeLog says when not all could be written to the log.
func (a *cli) closeLog(log *maillog.Log) {
	if err := log.Close(); err != nil {
		a.LogTrouble("the log could not be written", err)
	}
}

// withSpool opens the spool and the log for a command that needs no server, and
// closes them behind it.
func (a *cli) withSpool(need config.Need, work func(*config.Config, spool.Store, *maillog.Log) error) error {
	cfg, err := a.Load(need)
	if err != nil {
		return asOwner(err, filepath.Dir(config.SystemFile), config.SystemSpool)
	}
	return asOwner(a.withSpoolOf(cfg, work), cfg.Spool.Dir)
}

// withSpoolOf is withSpool for a config that was read before.
func (a *cli) withSpoolOf(cfg *config.Config, work func(*config.Config, spool.Store, *maillog.Log) error) error {
	store, err := a.OpenStore(cfg)
	if err != nil {
		return err
	}
	log := a.OpenLog(cfg)
	defer a.closeLog(log)
	err = work(cfg, store, log)
	if e := store.Close(); err == nil {
		err = e
	}
	return err
}

// withQueue is withSpool for a command that works on messages in the queue and hands in
// none: what is wrong with the config beside [spool] dir is no reason not to show them.
func (a *cli) withQueue(work func(*queue) error) error { return a.withQueueFor(config.Queue, work) }

func (a *cli) withQueueFor(need config.Need, work func(*queue) error) error {
	return a.withSpool(need, func(cfg *config.Config, store spool.Store, log *maillog.Log) error {
		return work(&queue{store: store, policy: policy(cfg), site: a.returns(cfg), log: log, handIn: a.handIn(cfg, store, log)})
	})
}

func policy(cfg *config.Config) schedule.Policy {
	return schedule.Policy{
		ShortRange: cfg.Retry.ShortRange,
		ShortDelay: cfg.Retry.ShortDelay,
		LongDelay:  cfg.Retry.LongDelay,
		GiveUp:     cfg.Retry.GiveUp,
	}
}

func (a *cli) returns(cfg *config.Config) bounce.Site {
	return bounce.Site{Name: cfg.Site.Name, Address: cfg.Site.Address, Admin: cfg.Site.Admin, FindHostname: a.FindHostname(cfg, true)}
}

// servers makes the way that mail goes out of the config. Secrets are read when a
// server asks for one, CA files now; tokens want signIn.
func (a *cli) servers(cfg *config.Config) ([]route.Server, error) {
	if cfg.Delivery.Via == config.ViaServers {
		return a.ownServers(cfg)
	}
	s, err := a.accountServer(cfg, cfg.Delivery.Via)
	return []route.Server{s}, err
}

func (a *cli) ownServers(cfg *config.Config) ([]route.Server, error) {
	hello := a.FindHostname(cfg, true)
	list := make([]route.Server, len(cfg.Servers))
	var errs []error
	for i := range cfg.Servers {
		s, err := a.server(&cfg.Servers[i], hello)
		if err != nil {
			errs = append(errs, cfg.Fault("server", i+1, "ca_file", err))
		}
		if auth := cfg.Servers[i].Auth; auth != config.AuthPassword {
			errs = append(errs, a.tokens(cfg, &s, auth))
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
	roots, err := certificates(c.CAFile)
	s.Roots = roots
	return s, err
}

// certificates reads a private CA.
func certificates(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("has no certificate in PEM in it: %s", path)
	}
	return pool, nil
}

// second is the time of an event: the spool keeps whole seconds in UTC.
func (a *cli) second() time.Time { return a.Now().UTC().Truncate(time.Second) }
