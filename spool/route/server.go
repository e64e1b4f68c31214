package route

import (
	"context"
	"sync"
	"time"

	"notices/spool"
	"notices/spool/maillog"
	"notices/spool/smtpclient"
)

// line is one connection: *smtpclient.Conn, or a test's.
type line interface {
	Send(context.Context, *smtpclient.Transaction) smtpclient.Result
	Usable() bool
	Notice() string
	Quit()
	Close()
}

type opener func(context.Context, *smtpclient.Server) (line, error)

// server is a Server at work in one run.
type server struct {
	Server
	open   opener
	secret *secret
	rate   *rate
	state  spool.State
	log    *maillog.Log
	now    func() time.Time
	scouts *scouts // the route's

	load   sync.Once // health, before the first use
	saving sync.Mutex

	mu      sync.Mutex
	pool    pool
	breaker breaker
	most    int // recipients in one transaction, as learned from 452 4.5.3; 0: unknown
}

func newServer(s Server, o Options, open opener, sc *scouts) *server {
	w := &server{Server: s, open: open, state: o.State, log: o.Log, now: o.Now, scouts: sc}
	w.Addresses = new(smtpclient.Addresses)
	w.secret = watch(&w.Server.Server)
	w.rate = newRate(s, o.State, o.Now)
	w.pool.max = max(1, s.Connections)
	w.breaker.ignore = o.IgnoreBreaker
	return w
}

// chunkSize is how many recipients go in one transaction; 0: all.
func (s *server) chunkSize() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most > 0 && (s.RecipientsPerMessage <= 0 || s.most < s.RecipientsPerMessage) {
		return s.most
	}
	return max(0, s.RecipientsPerMessage)
}

// learn remembers for this run how many recipients the server took before it said
// too many: to ask again for hundreds each time costs a reply for each of them.
func (s *server) learn(took int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = max(1, took)
}

// own is an outcome that is not the server's word.
func (s *server) own(reason spool.Reason, text string) spool.Outcome {
	return spool.Outcome{
		Class: spool.Deferred, Scope: spool.ServerScope, Reason: reason,
		Reply: spool.Reply{Server: s.Name, Host: s.Host, Text: text, At: s.now()},
	}
}
