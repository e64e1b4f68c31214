package submission

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"notices/spool/maillog"
	"notices/spool/service"
)

// loginServer is the server's side of AUTH LOGIN, which go-sasl lacks
// (draft-murchison-sasl-login). The user name may come with the command.
type loginServer struct {
	user   *string
	asked  bool
	verify func(user, key string) error
}

func (s *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case s.user == nil && response == nil && !s.asked:
		s.asked = true
		return []byte("Username:"), false, nil
	case s.user == nil:
		user := string(response)
		s.user = &user
		return []byte("Password:"), false, nil
	}
	return nil, true, s.verify(*s.user, string(response))
}

// AuthMechanisms are offered in each EHLO, since go-smtp gets only connections that speak TLS.
func (s *hosted) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

// Auth begins an exchange.
func (s *hosted) Auth(mechanism string) (sasl.Server, error) {
	if s.peer.site != nil {
		return nil, answer(503, smtp.EnhancedCode{5, 5, 1}, "already logged in")
	}
	switch mechanism {
	case sasl.Plain:
		return wellFormed{sasl.NewPlainServer(func(identity, user, key string) error {
			if identity != "" && identity != user {
				user = "" // no site may act for another one
			}
			return s.login(user, key)
		})}, nil
	case sasl.Login:
		return &loginServer{verify: s.login}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// wellFormed answers a malformed response. The error of go-sasl is not an SMTP reply.
type wellFormed struct{ sasl.Server }

func (s wellFormed) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = s.Server.Next(response)
	if err != nil && !errors.As(err, new(*smtp.SMTPError)) {
		err = answer(501, smtp.EnhancedCode{5, 5, 2}, "the response has no name and key")
	}
	return challenge, done, err
}

// maxWrongKeys is how many of them one connection may try.
const maxWrongKeys = 3

// login checks a name and a key. Only the answer to a wrong key is delayed, so that nobody can lock
// a site out.
func (s *hosted) login(user, key string) error {
	srv, g := s.srv, s.peer
	site, err := srv.Sites.Authenticate(s.ctx, user, key)
	switch {
	case errors.Is(err, service.ErrRefused):
		srv.meter.LoggedIn(false)
		maillog.LoginFailed(srv.log(), user, g.from)
		g.wire.pause(srv.throttle.failed(g.address, user, time.Now()))
		if g.wrongKeys++; g.wrongKeys >= maxWrongKeys {
			g.pace.end("4.7.0 too many wrong keys", false)
		}
		return answer(535, smtp.EnhancedCode{5, 7, 8}, "unknown site or wrong key")
	case err != nil:
		return answer(454, smtp.EnhancedCode{4, 7, 0}, "the service has a problem of its own; mail goes out later by itself")
	}
	if !srv.admission.login(g, site, srv.siteConnections()) {
		g.wire.stopReading()
		return answer(421, smtp.EnhancedCode{4, 7, 0}, "this site has too many connections at once")
	}
	g.pace.loggedIn()
	srv.meter.LoggedIn(true)
	srv.Sites.Used(site.ID, 0)
	return nil
}

// How long the answer to a wrong key is delayed.
const (
	firstDelay  = 500 * time.Millisecond // doubled with each further one ...
	maxDelay    = 8 * time.Second        // ... up to this
	forgetAfter = 10 * time.Minute       // without a wrong key
	maxFailing  = 10_000                 // addresses and names that are remembered
)

// throttle remembers where wrong keys came from, and the names of sites that they were for.
type throttle struct {
	mu      sync.Mutex
	failing map[any]failures // by netip.Prefix, or by the name of a site
}

type failures struct {
	n    int
	last time.Time
}

// failed counts a wrong key and returns how long to wait before it is answered.
func (t *throttle) failed(from netip.Prefix, user string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failing == nil {
		t.failing = map[any]failures{}
	}
	if len(user) > 64 {
		user = "" // no site has it
	}
	n := 0
	for _, who := range [...]any{from, user} {
		f := t.failing[who]
		if now.Sub(f.last) > forgetAfter {
			f.n = 0
		}
		f.n, f.last = f.n+1, now
		t.failing[who] = f
		n = max(n, f.n)
	}
	t.forget(now)
	return min(firstDelay<<min(n-1, 10), maxDelay)
}

// forget keeps the table small: of too many entries the old ones go, and then any.
func (t *throttle) forget(now time.Time) {
	if len(t.failing) <= maxFailing {
		return
	}
	for who, f := range t.failing {
		if now.Sub(f.last) > forgetAfter {
			delete(t.failing, who)
		}
	}
	for who := range t.failing {
		if len(t.failing) <= maxFailing*9/10 {
			return
		}
		delete(t.failing, who)
	}
}

// revoked ends the sessions of sites whose key is not valid any more. No session ends because
// the state cannot be read.
func (s *Server) revoked(ctx context.Context) {
	for _, peers := range s.admission.sites() {
		for len(peers) > 0 {
			site := peers[0].site
			_, err := s.Sites.Still(ctx, site)
			rest := peers[:0]
			for _, g := range peers {
				switch {
				case !g.site.SameKey(site):
					rest = append(rest, g)
				case errors.Is(err, service.ErrRefused):
					g.pace.end("4.7.0 "+keyEnded, true)
				}
			}
			peers = rest
		}
	}
}

// keyEnded is the reply to a session whose key was revoked, or replaced a week ago.
const keyEnded = "the key of this site is not valid any more"
