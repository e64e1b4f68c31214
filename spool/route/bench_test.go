package route

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"notices/spool"
	"notices/spool/maildirtest"
	"notices/spool/smtpclient"
)

// instant is a connection that costs nothing: what is left is the route's own.
type instant struct{}

func (instant) Send(context.Context, *smtpclient.Transaction) smtpclient.Result {
	return smtpclient.Result{Outcomes: []spool.Outcome{delivered}}
}
func (instant) Usable() bool   { return true }
func (instant) Notice() string { return "" }
func (instant) Quit()          {}
func (instant) Close()         {}

func BenchmarkRoute(b *testing.B) {
	s := Server{Connections: 20, MessagesPerConnection: 50, RecipientsPerMessage: 100}
	s.Name = "1"
	r := newRoute(Options{Servers: []Server{s}, State: maildirtest.State()},
		func(context.Context, *smtpclient.Server) (client, error) { return instant{}, nil })
	m := message("M", "ann@example.com")
	b.ReportAllocs()
	var done atomic.Int64
	var wg sync.WaitGroup
	for range r.Workers() {
		wg.Go(func() {
			for done.Add(1) <= int64(b.N) {
				if d, err := r.Deliver(context.Background(), m); err != nil || d.Outcomes[0].Class != spool.Delivered {
					b.Error(d, err)
				}
			}
		})
	}
	wg.Wait()
	r.Close(context.Background())
}
