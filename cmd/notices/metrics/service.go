package metrics

import (
	"context"
	"sync/atomic"
	"time"

	"notices/spool"
	"notices/spool/flush"
)

// Service counts what `notices serve` does, since it was started. Many goroutines may use it.
//
// No metric has a site as its label: with thousands of sites that would be ten thousands of time
// series, most of which never change. notices service-key list --json has the messages of each
// site's day, notices history --site what became of them.
type Service struct {
	// Connections is how many are connected now, and how many of them have logged in.
	Connections func() (all, sites int)
	// Waiting is how many messages wait to be attempted, and how many sites they are from.
	Waiting func() (messages, sites int)
	// Status writes what notices status --prometheus shows.
	Status func(context.Context, *Page) error

	now                         func() time.Time
	connected, messages, octets atomic.Int64
	logins, refused             Tally
	group, commit, sent         *Histogram
}

// NewService makes one. Functions that it gets later may stay nil.
func NewService(now func() time.Time) *Service {
	return &Service{
		now:    now,
		group:  NewHistogram(1, 2, 4, 8, 16, 32, 64, 128, 256),
		commit: NewHistogram(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
		sent:   NewHistogram(0.1, 0.3, 1, 3, 10, 30, 60, 300, 1800, 3600, 6*3600, 24*3600, 100*3600),
	}
}

// Connected counts a connection.
func (s *Service) Connected() { s.connected.Add(1) }

// LoggedIn counts an AUTH: with the key of a site, or with a wrong one.
func (s *Service) LoggedIn(ok bool) {
	if ok {
		s.logins.Add("ok")
	} else {
		s.logins.Add("wrong_key")
	}
}

// Refused counts a reply of 4xx or 5xx, by its code and enhanced code: "451 4.7.1".
func (s *Service) Refused(codes string) { s.refused.Add(codes) }

// Taken counts a message that was answered with 250.
func (s *Service) Taken(octets int64) {
	s.messages.Add(1)
	s.octets.Add(octets)
}

// Committed counts messages that were written to the spool together.
func (s *Service) Committed(messages int, took time.Duration) {
	s.group.Observe(float64(messages))
	s.commit.Observe(took.Seconds())
}

// Deliverer counts how long messages took from the queue to the server that accepted them.
func (s *Service) Deliverer(d flush.Deliverer) flush.Deliverer { return deliverer{d, s} }

type deliverer struct {
	flush.Deliverer
	service *Service
}

func (d deliverer) Deliver(ctx context.Context, m *spool.Message) (spool.Delivery, error) {
	done, err := d.Deliverer.Deliver(ctx, m)
	if err != nil || m.Report || !m.ID.Generated() {
		return done, err
	}
	for i := range done.Outcomes {
		if done.Outcomes[i].Class == spool.Delivered {
			d.service.sent.Observe(max(0, d.service.now().Sub(m.ID.MadeAt()).Seconds()))
			break
		}
	}
	return done, nil
}

// Show writes all of it. What the process itself has counted is there even if the spool cannot
// be looked at, which is when it is wanted.
func (s *Service) Show(ctx context.Context, p *Page) {
	if s.Status != nil {
		err := s.Status(ctx, p)
		p.Gauge("notices_serve_spool_ok", "0 if the spool cannot be looked at now; else 1.", Truth(err == nil))
	}
	s.own(p)
}

func (s *Service) own(p *Page) {
	if s.Connections != nil {
		all, sites := s.Connections()
		p.Gauge("notices_serve_connections", "Connections now, by whether a site has logged in.",
			Value(sites, "logged_in", "yes"), Value(all-sites, "logged_in", "no"))
	}
	p.Counter("notices_serve_connections_total", "Connections that were made.", Value(s.connected.Load()))
	p.Counter("notices_serve_logins_total", "Logins, by whether the key was right.", s.logins.points("result")...)
	p.Counter("notices_serve_messages_total", "Messages that were taken in.", Value(s.messages.Load()))
	p.Counter("notices_serve_bytes_total", "Octets of these messages.", Value(s.octets.Load()))
	p.Counter("notices_serve_refused_total", "Replies that refuse something, by their codes.", s.refused.points("reply")...)
	p.Histogram("notices_serve_commit_messages", "Messages that were written to the spool together.", s.group)
	p.Histogram("notices_serve_commit_seconds", "How long it took to write them.", s.commit)
	if s.Waiting != nil {
		messages, sites := s.Waiting()
		p.Gauge("notices_serve_waiting_messages", "Messages that wait for their turn to be attempted.", Value(messages))
		p.Gauge("notices_serve_waiting_sites", "Sites that these messages are from.", Value(sites))
	}
	p.Histogram("notices_serve_sent_seconds", "From the queue to the first recipient's server that accepted the message.", s.sent)
}
