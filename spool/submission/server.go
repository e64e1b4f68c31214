package submission

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"notices/spool"
	"notices/spool/intake"
	"notices/spool/maillog"
	"notices/spool/rate"
	"notices/spool/service"
)

// Rules are what may change while a Server runs.
type Rules struct {
	From string // the service's own address, from which mail is sent

	// Limits of one site over all hosts; 0: no limit.
	MessagesPerMinute, MessagesPerDay int

	MaxRecipients  int // of one message; 0: spool.MaxRecipients
	MaxConnections int // at once; 0: 500. A site may have a fifth of them, but at least 20.
}

// Server takes mail in from the sites of a hosted service, over TLS. Its fields are set before
// the first Serve and not changed.
type Server struct {
	Intake   *intake.Intake
	Hostname string      // in the greeting
	TLS      *tls.Config // of all connections; to change a certificate: GetCertificate
	Sites    *service.Register
	Rules    // at the start; see Renew

	// Queued is called after each message that was taken, before the answer 250, by many
	// goroutines. It must not block. nil: not called.
	Queued func(e spool.Entry, site string)
	Meter  Meter            // nil: nothing is counted
	Now    func() time.Time // nil: time.Now

	once      sync.Once
	smtp      *smtp.Server
	ctx       context.Context // of all sessions
	cancel    context.CancelFunc
	meter     Meter
	own       intake.Intake // Intake with the shared Commit
	admission admission
	handoff   handoff
	throttle  throttle
	quotas    *rate.Sites
	current   atomic.Pointer[Rules]
	long      longHeaders
	room      atomic.Int64 // that the recipients of all sessions take
	upkeep    sync.WaitGroup
	refusing  chan struct{} // full while many connections are being refused

	mu        sync.Mutex
	stopped   bool
	listeners map[net.Listener]struct{}
}

// defaultConnections is used if MaxConnections is 0.
const defaultConnections = 500

func (s *Server) connections() int     { return s.rules().MaxConnections }
func (s *Server) siteConnections() int { return share(s.connections()) }
func (s *Server) rules() *Rules        { return s.current.Load() }
func (s *Server) log() *maillog.Log    { return s.Intake.Log }

// ServeTLS takes connections that speak TLS from the first octet (RFC 8314, port 465), until
// Shutdown. The error is that of the listener, which it closes.
func (s *Server) ServeTLS(l net.Listener) error { return s.serve(l, true) }

// ServeSTARTTLS takes connections that begin in the clear (port 587), until Shutdown. Before
// STARTTLS they can do nothing but ask for it.
func (s *Server) ServeSTARTTLS(l net.Listener) error { return s.serve(l, false) }

// Connections is how many are connected now, and how many of them have logged in.
func (s *Server) Connections() (all, sites int) { return s.admission.count() }

func (s *Server) start() {
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.own = *s.Intake
	if s.meter = s.Meter; s.meter == nil {
		s.meter = noMeter{}
	}
	s.own.Store = &group{Store: s.Intake.Store, meter: s.meter}
	s.handoff = handoff{conns: make(chan *wire), closed: make(chan struct{})}
	s.current.Store(s.Rules.complete())
	s.quotas = rate.NewSites("site", s.MessagesPerMinute, s.MessagesPerDay, s.Sites.State, s.now)
	s.refusing = make(chan struct{}, 32)
	s.smtp = newServer(s.Hostname, 0, s.Intake.MaxSize)
	s.smtp.Backend = smtp.BackendFunc(s.session)
	s.smtp.AllowInsecureAuth = true // go-smtp does not see that there is TLS below
	s.smtp.ErrorLog = troubles{s}
	s.upkeep.Go(func() { _ = s.smtp.Serve(&s.handoff) })
	s.upkeep.Go(s.keepUp)
}

// Renew changes the rules. They hold for the next message, recipient and connection. Connections
// that exist stay, even if there are more than MaxConnections now.
func (s *Server) Renew(r Rules) {
	s.once.Do(s.start)
	s.current.Store(r.complete())
	s.quotas.Change(r.MessagesPerMinute, r.MessagesPerDay)
}

// complete puts numbers in the place of zeros.
func (r Rules) complete() *Rules {
	r.MaxConnections = cmp.Or(r.MaxConnections, defaultConnections)
	if r.MaxRecipients <= 0 || r.MaxRecipients > spool.MaxRecipients {
		r.MaxRecipients = spool.MaxRecipients
	}
	return &r
}

func (s *Server) serve(l net.Listener, secure bool) error {
	s.once.Do(s.start)
	s.mu.Lock()
	if s.listeners == nil {
		s.listeners = map[net.Listener]struct{}{}
	}
	s.listeners[l] = struct{}{}
	stopped := s.stopped
	s.mu.Unlock()
	defer l.Close()
	for delay := time.Duration(0); !stopped; {
		conn, err := l.Accept()
		s.mu.Lock()
		stopped = s.stopped
		s.mu.Unlock()
		switch {
		case err == nil:
			delay = 0
			go s.receive(conn, secure)
		case stopped:
		case errors.Is(err, net.ErrClosed):
			return err
		default: // no file descriptor is left, for example
			maillog.TroubleOnce(s.log(), "a connection could not be taken", err)
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			time.Sleep(delay)
		}
	}
	return nil
}

// receive takes a connection through TLS and hands it to go-smtp.
func (s *Server) receive(conn net.Conn, secure bool) {
	s.meter.Connected()
	g, refused := s.admission.enter(conn, s.connections())
	if refused != "" {
		s.refuse(conn, secure, refused)
		return
	}
	over := true
	defer func() {
		if over {
			conn.Close()
			g.leave()
		}
	}()
	g.pace.most, g.rules, g.meter = 4*s.Intake.MaxSize, s.rules, s.meter
	if !secure {
		if g.greeted = s.askTLS(g, conn); !g.greeted {
			return
		}
	}
	if g.pace.begin(false, 0) != nil {
		return
	}
	secured := tls.Server(conn, s.TLS)
	conn.SetWriteDeadline(time.Now().Add(loginTime))
	if secured.Handshake() != nil {
		return
	}
	g.wire = newPeerWire(secured, g)
	over = !s.handoff.send(g.wire)
}

// refuse tells a client why it is not admitted, unless very many are being told so already.
func (s *Server) refuse(conn net.Conn, secure bool, why string) {
	defer conn.Close()
	refused(s.meter, []byte("421 "+why))
	select {
	case s.refusing <- struct{}{}:
	default:
		return
	}
	defer func() { <-s.refusing }()
	if s.admission.isNews(conn.RemoteAddr(), time.Now()) {
		maillog.TurnedAway(s.log(), hostOf(conn.RemoteAddr()), strings.TrimLeft(why, "0123456789. "))
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if secure {
		secured := tls.Server(conn, s.TLS)
		if secured.Handshake() != nil {
			return
		}
		conn = secured
		defer conn.Close()
	}
	fmt.Fprintf(conn, "421 %s\r\n", why)
}

// Shutdown takes no more connections. Messages that are being transferred come to their end
// before ctx ends; all other clients get 421 4.3.2. When ctx ends, all connections are closed. What
// was answered with 250 is in the spool in any case. It returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(s.start)
	s.mu.Lock()
	s.stopped = true
	for l := range s.listeners {
		l.Close()
	}
	s.mu.Unlock()
	var err error
	select {
	case <-s.admission.close(false):
	case <-ctx.Done():
		err = ctx.Err()
		s.cancel()
		<-s.admission.close(true)
	}
	s.cancel()
	s.handoff.close()
	s.upkeep.Wait()
	return errors.Join(err, s.quotas.Close(context.WithoutCancel(ctx)), s.Sites.Flush(context.WithoutCancel(ctx)))
}

// Intervals of keepUp.
const (
	lookTime  = time.Second      // how often keys are checked, and counts written
	flushTime = 10 * time.Second // how often unused reservations of the limits are given back
)

// keepUp ends the sessions of revoked sites, and writes what was counted.
func (s *Server) keepUp() {
	look, flush := time.NewTicker(lookTime), time.NewTicker(flushTime)
	defer look.Stop()
	defer flush.Stop()
	for {
		select {
		case <-look.C:
			s.revoked(s.ctx)
			s.tellUse(s.Sites.Flush(s.ctx)) // nothing is written if nothing was counted
		case <-flush.C:
			s.tellUse(s.quotas.Close(s.ctx))
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Server) tellUse(err error) {
	if err != nil && s.ctx.Err() == nil && !errors.Is(err, spool.ErrUnreachable) { // then it is counted later
		maillog.TroubleOnce(s.log(), "what sites use could not be counted", err)
	}
}

// troubles is go-smtp's log. Of what go-smtp writes it keeps panics alone.
type troubles struct{ *Server }

func (t troubles) Printf(format string, v ...any) {
	if text := fmt.Sprintf(format, v...); strings.HasPrefix(text, "panic ") {
		t.log().Trouble("submission", errors.New(text))
	}
}

func (t troubles) Println(...any) {}

// handoff is the listener that go-smtp gets: of connections that speak TLS.
type handoff struct {
	conns  chan *wire
	closed chan struct{}
	once   sync.Once
}

func (h *handoff) send(w *wire) bool {
	select {
	case h.conns <- w:
		return true
	case <-h.closed:
		return false
	}
}

// Accept implements net.Listener.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case w := <-h.conns:
		return w, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handoff) close() { h.once.Do(func() { close(h.closed) }) }

// Close implements net.Listener.
func (h *handoff) Close() error {
	h.close()
	return nil
}

// Addr implements net.Listener.
func (h *handoff) Addr() net.Addr { return stdioAddr{} }
