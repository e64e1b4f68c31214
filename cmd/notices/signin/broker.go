package signin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool/broker"
	"notices/spool/maillog"
	"notices/spool/oauth"
	"notices/spool/rate"
	"notices/spool/service"
)

// Broker answers the sites of a service that sign in by its clients: those of [google] and
// [microsoft], where they are set. The error is about one of these sections; the handler works
// for the other one all the same.
func Broker(p *app.Program, cfg *config.Config, sites *service.Register, log *maillog.Log) (*broker.Handler, error) {
	h := &broker.Handler{Clients: map[string]broker.Client{}, Authenticate: authenticate(sites)}
	h.Count = count(rate.NewSites("broker", broker.PerMinute, 0, sites.State, p.Now), p.Now)
	h.Log = func(e broker.Event) {
		switch {
		case e.Known || e.Err != nil:
			maillog.Brokered(log, e.Site, e.Call, e.Status, e.Err)
		case e.Status == http.StatusUnauthorized && e.Site != "":
			maillog.LoginFailed(log, e.Site, e.From)
		}
	}
	var errs []error
	for _, name := range Names() {
		if c := cfg.Account(name); c.ClientID == "" && !c.ClientSecretFile.IsSet() {
			continue
		}
		client, err := newClient(p, cfg, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		h.Clients[name] = oauth.Shared{Client: client}
	}
	return h, errors.Join(errs...)
}

// authenticate asks the register for the site of a name and a key.
func authenticate(sites *service.Register) func(ctx context.Context, site, key string) (string, error) {
	return func(ctx context.Context, site, key string) (string, error) {
		found, err := sites.Authenticate(ctx, site, key)
		switch {
		case errors.Is(err, service.ErrRefused):
			return "", nil
		case err != nil:
			return "", err
		}
		return found.ID, nil
	}
}

// count counts the requests of sites over all hosts.
func count(requests *rate.Sites, now func() time.Time) func(ctx context.Context, id string) (time.Duration, bool, error) {
	return func(ctx context.Context, id string) (time.Duration, bool, error) {
		_, first, err := requests.Take(ctx, id)
		var used *rate.Exhausted
		if errors.As(err, &used) {
			return max(used.Until.Sub(now()), time.Second), !first, nil
		}
		return 0, false, err
	}
}
