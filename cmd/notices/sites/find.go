package sites

import (
	"context"
	"errors"
	"strings"

	"notices/spool"
	"notices/spool/history"
	"notices/spool/service"
)

// Find returns the site that a person means by a filter. One that is not registered, and yet has
// mail in the queue or in the history, has only its id. Any other is exit 66.
func Find(ctx context.Context, register *service.Register, mail history.Source, id string) (*service.Site, error) {
	site, err := register.Lookup(ctx, id)
	if !errors.Is(err, service.ErrUnknown) {
		return site, err
	}
	site = &service.Site{ID: strings.ToLower(id)}
	known := false
	if _, e := history.Search(ctx, mail, spool.HistoryQuery{Site: site.ID}, func(*history.Row) bool {
		known = true
		return false
	}); e != nil {
		return nil, e
	}
	if known {
		return site, nil
	}
	return nil, withCode(err)
}
