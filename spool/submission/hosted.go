package submission

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-smtp"

	"notices/spool"
	"notices/spool/intake"
	"notices/spool/maillog"
	"notices/spool/rate"
	"notices/spool/service"
)

// hosted is the session of a site.
type hosted struct {
	session
	srv  *Server
	peer *peer

	counted time.Time // when the message was counted; zero: it was not
}

// session makes the session of a connection, at its first EHLO or HELO.
func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	g := c.Conn().(*wire).peer
	return &hosted{
		session: session{ctx: s.ctx, o: &Options{Intake: &s.own}, conn: lastReply{g.wire}},
		srv:     s, peer: g,
	}, nil
}

// lastReply closes a wire after the reply that is under way.
type lastReply struct{ *wire }

func (l lastReply) Close() error {
	l.stopReading()
	return nil
}

// host makes the messages of the session those of the site that has logged in, from the address
// that the service has now.
func (s *hosted) host() {
	site := s.peer.site
	s.session.hosted = &intake.Hosted{Site: site.ID, Name: site.Name, Address: site.Address, From: s.srv.rules().From}
}

// Mail takes the sender. It checks the key and the limits again for each message.
func (s *hosted) Mail(from string, o *smtp.MailOptions) error {
	if s.peer.site == nil {
		return answer(530, smtp.EnhancedCode{5, 7, 0}, "log in first, with AUTH")
	}
	if s.hasMail {
		return s.session.Mail(from, o) // refuses it
	}
	_, err := s.srv.Sites.Still(s.ctx, s.peer.site)
	if errors.Is(err, service.ErrRefused) {
		s.peer.wire.stopReading()
		return answer(421, smtp.EnhancedCode{4, 7, 0}, keyEnded)
	}
	if err == nil {
		err = s.count()
	}
	var used *rate.Exhausted
	switch {
	case errors.As(err, &used):
		wait := inWords(used.Until.Sub(s.srv.now()))
		return answer(451, smtp.EnhancedCode{4, 7, 1}, fmt.Sprintf("the sending limit of your site is reached (%s); try again in %s", used.What, wait))
	case err != nil:
		return answer(451, smtp.EnhancedCode{4, 3, 0}, "local error; try again later")
	}
	s.host()
	if err := s.session.Mail(from, o); err != nil {
		s.putBack()
		return err
	}
	return nil
}

// Limits of the recipients of all sessions.
const (
	maxRoom        = 32 << 20 // of their addresses, in octets as spool.RecipientRoom counts
	sureRecipients = 100      // each message may have so many (RFC 5321 section 4.5.3.1.8)
)

// Rcpt takes one recipient.
func (s *hosted) Rcpt(to string, o *smtp.RcptOptions) error {
	if most := s.srv.rules().MaxRecipients; len(s.recipients) >= most {
		return answer(452, smtp.EnhancedCode{4, 5, 3}, fmt.Sprintf("a message has at most %d recipients", most))
	}
	if len(s.recipients) >= sureRecipients && s.srv.room.Load() > maxRoom {
		return answer(452, smtp.EnhancedCode{4, 5, 3}, "no room for more recipients now")
	}
	before := s.room
	err := s.session.Rcpt(to, o)
	s.srv.room.Add(int64(s.room - before))
	return err
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// Reset is called for RSET, and after each message.
func (s *hosted) Reset() {
	s.putBack()
	s.srv.room.Add(-int64(s.room))
	s.session.Reset()
}

// Logout is called when the conversation is over.
func (s *hosted) Logout() error {
	s.Reset()
	return nil
}

// putBack undoes the counting of a message that was not taken.
func (s *hosted) putBack() {
	if !s.counted.IsZero() {
		s.srv.quotas.PutBack(s.peer.site.ID, s.counted)
		s.counted = time.Time{}
	}
}

// Data takes the message.
func (s *hosted) Data(r io.Reader) error {
	h := &headed{r: r, site: s.peer.site.ID, long: &s.srv.long}
	defer h.release()
	return s.data(h, s.accept)
}

// accept is Intake.Accept for a message of a site, which no alias can discard. It also counts the
// message and calls Server.Queued.
func (s *hosted) accept(r intake.Request) (spool.ID, error) {
	d, env, err := s.o.Intake.Draft(s.ctx, r)
	if err != nil {
		return "", err
	}
	if _, err := s.o.Intake.Store.Commit(s.ctx, d); err != nil {
		_ = d.Abort() // what it cannot remove is swept
		return "", err
	}
	s.o.Intake.Log.Queued(env)
	s.counted = time.Time{}
	s.srv.meter.Taken(env.Size)
	s.srv.Sites.Used(s.peer.site.ID, 1)
	if s.srv.Queued != nil {
		s.srv.Queued(spool.Entry{ID: env.ID, Next: env.QueuedAt, State: spool.StateQueued, Expires: env.ExpiresAt}, s.peer.site.ID)
	}
	return env.ID, nil
}

// count counts a message of the site, and logs that its limit is reached when that is news.
func (s *hosted) count() error {
	site := s.peer.site.ID
	at, first, err := s.srv.quotas.Take(s.ctx, site)
	s.counted = at
	var used *rate.Exhausted
	if first && errors.As(err, &used) {
		maillog.SiteLimited(s.srv.log(), site, used.What, used.Until)
	}
	return err
}

// inWords is a wait for a person to read.
func inWords(wait time.Duration) string {
	if wait < 2*time.Minute {
		return fmt.Sprintf("%d seconds", max(1, (wait+time.Second-1)/time.Second))
	}
	if wait <= 2*time.Hour {
		return fmt.Sprintf("%d minutes", (wait+time.Minute-1)/time.Minute)
	}
	return fmt.Sprintf("%d hours", (wait+time.Hour-1)/time.Hour)
}
