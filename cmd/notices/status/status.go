// Package status collects what is known of the spool, the servers, the sign-ins and the last
// flush, and shows it: to a person, to a monitoring program (--check), to Prometheus, as JSON.
package status

import (
	"context"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/queue"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/buffer"
	"notices/spool/oauth"
	"notices/spool/printable"
	"notices/spool/rate"
	"notices/spool/route"
)

// Options are the options of notices status, and what it reads.
type Options struct {
	JSON           bool
	Prometheus     bool
	Check          bool
	Warn, Critical app.Duration // ages, for Check and the verdict that a person reads

	Config  *config.Config  // nil in a test that needs none
	Servers []config.Server // those that test-server knows
	Limits  []rate.Limit    // the [[limit]]s of the config
	Refused error           // what flush refuses of the config; nil: nothing
	// BouncesRefused is what read-bounces refuses of the config; nil: nothing.
	BouncesRefused error
	Spares         []spool.State // where flush keeps its alerts when it cannot keep them in the spool
	// Buffered is how much mail waits in the folder beside the database; nil if no such folder is set.
	Buffered *buffer.Waiting
	// BufferTrouble is what is wrong with that folder; "" if nothing is.
	BufferTrouble string
	// SignIn returns the state of an account's sign-in; nil: there are no accounts.
	SignIn func(name string, state spool.State) (*SignIn, error)
}

// WarnAge and CriticalAge are the ages from which status --check warns by default.
const (
	WarnAge     = 15 * time.Minute
	CriticalAge = 2 * time.Hour
)

// snapshot is everything that was collected; notices-status(1) documents its JSON.
type snapshot struct {
	Queued         int        `json:"queued"`
	Deferred       int        `json:"deferred"`
	Held           int        `json:"held"`
	Failed         int        `json:"failed"`
	Bytes          int64      `json:"bytes"`
	OldestQueuedAt *time.Time `json:"oldest_queued_at"`
	NextSendAt     *time.Time `json:"next_send_at"`
	Servers        []server   `json:"servers"`
	Google         *SignIn    `json:"google"`    // null: no account
	Microsoft      *SignIn    `json:"microsoft"` // null: no account
	LastFlush      *lastFlush `json:"last_flush"`
	Hosts          []host     `json:"hosts"`   // null: the spool is a folder
	Buffer         *buffered  `json:"buffer"`  // null: no folder is set beside a database
	Bounces        *bounces   `json:"bounces"` // null: the mailbox of [bounces] was never read

	Sites []site `json:"sites,omitempty"` // of a hosted service

	// How many deferred messages wait for a server or for their recipients, and since when the
	// first one waits for a server.
	WaitingForServer      int        `json:"waiting_for_server"`
	WaitingForRecipient   int        `json:"waiting_for_recipient"`
	WaitingForServerSince *time.Time `json:"waiting_for_server_since"`
	ConfigError           *string    `json:"config_error"`  // what flush refuses; null: nothing
	FlushError            *string    `json:"flush_error"`   // why the last flush failed; null: it did not
	HistoryError          *string    `json:"history_error"` // why the history cannot be read or written; null: nothing keeps it
	Check                 *verdict   `json:"check"`         // what --check says

	now           time.Time
	handedIn      int    // in drop/, not taken over yet
	aside         int    // what flushes set aside
	fromDrop      int    // what other users put into drop/, there too
	asideDir      string // where that is
	sends         histogram
	unreadable    []error        // messages that cannot be counted
	stuck         spool.Stuck    // what flushes met
	inTrouble     []spool.ID     // the messages in stuck that still exist
	failedOfSites int            // of Failed
	withoutServer map[string]int // senders that no server accepts mail from, and their messages
	limitsUsed    []rate.Usage
	limited       int         // messages that wait for a [[limit]]
	limitedBy     *rate.Usage // the limit that will let one go first
	mailbox       bool        // [bounces] is configured
	bouncesError  string      // what read-bounces refuses of the config
	bufferTrouble string      // what is wrong with the folder beside the database
	unwritable    bool        // flush cannot write to the spool: FlushError says why
	serving       bool        // a notices serve sends mail, as far as is known
	resumes       int         // messages that a server deferred which works again
	resumesAt     *time.Time  // when the first of them is sent
}

// server is what is known about one server.
type server struct {
	Name           string     `json:"name"`
	Host           string     `json:"host"`
	Port           int        `json:"port"`
	LastTestedOn   *time.Time `json:"last_tested_on"`
	LastTestResult *string    `json:"last_test_result"` // "ok", "error"; null: never tested
	LastTestDetail *string    `json:"last_test_detail"`
	DownUntil      *time.Time `json:"down_until"`
	DownSince      *time.Time `json:"down_since"`        // since when it has been failing; null: it has not
	Senders        []string   `json:"senders,omitempty"` // the only ones that it takes mail from

	unused   bool // mail does not go through it
	health   spool.Health
	failing  bool // the last thing that it did was an error
	outdated bool // and that is long ago: its state is not known
	rates    route.Server
	used     rate.ServerUsage
}

type lastFlush struct {
	At *time.Time `json:"at"`
	spool.Tally
}

// bounces is how the last reading of the mailbox of [bounces] went.
type bounces struct {
	At      *time.Time `json:"at"`
	Error   *string    `json:"error"` // why it failed; null: it did not
	Read    int        `json:"read"`
	Bounced int        `json:"bounced"`
}

// SignIn is the state of a sign-in.
type SignIn struct {
	Account   string     `json:"account"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"` // of the access token, which is renewed by itself
	Error     *string    `json:"error"`      // and what to run; null: all is well

	NeedsPerson bool `json:"-"` // a person has to fix the error; false: it is temporary
}

// DescribeSignIn makes a SignIn of what signin.Status returns.
func DescribeSignIn(found *oauth.SignIn, err error) (*SignIn, error) {
	if found == nil || err != nil {
		return nil, err
	}
	s := &SignIn{Account: found.Account, Scopes: found.Scopes, ExpiresAt: term.Stamp(found.ExpiresAt)}
	if found.Error != nil {
		text := found.Error.Error()
		s.Error, s.NeedsPerson = &text, found.Error.NeedsPerson()
	}
	return s, nil
}

// Run collects everything, then prints it.
func Run(ctx context.Context, q *queue.Queue, o Options) error {
	s, err := collect(ctx, q, o)
	if err != nil {
		return err
	}
	s.sayTrouble(q.Program)
	c := s.check(o)
	switch {
	case o.Check:
		return printCheck(q.Program, c)
	case o.JSON:
		s.Check = c
		return term.PrintJSON(q.Program.Stdout, s)
	case o.Prometheus:
		return printMetrics(q.Program.Stdout, s, c)
	}
	return printStatus(q.Program, s, c)
}

// shownInTrouble is how many messages in trouble are named: mostly all have the same.
const shownInTrouble = 5

// sayTrouble names messages in trouble.
func (s *snapshot) sayTrouble(p *app.Program) {
	if len(s.inTrouble) == 0 && len(s.unreadable) > 0 {
		p.Say("%s cannot be read (%s); the next flush sets aside what is damaged", printable.Count(len(s.unreadable), "message"), s.unreadable[0])
	}
	for i, id := range s.inTrouble {
		if i == shownInTrouble {
			p.Say("and %s in trouble", printable.CountIs(len(s.inTrouble)+s.stuck.More-i, "more message"))
			break
		}
		p.Say("%s: %s", id, s.stuck.Messages[id])
	}
}

// signIns are the configured ones.
func (s *snapshot) signIns() []*SignIn {
	var list []*SignIn
	for _, in := range []*SignIn{s.Google, s.Microsoft} {
		if in != nil {
			list = append(list, in)
		}
	}
	return list
}

// noServer reports whether no server takes mail, by the last attempt of each, and since when.
// recent: the last attempts are not outdated.
func (s *snapshot) noServer() (since time.Time, recent, yes bool) {
	recent = true
	for i := range s.Servers {
		v := &s.Servers[i]
		switch {
		case v.unused:
			continue
		case !v.failing:
			return time.Time{}, false, false
		}
		recent = recent && !v.outdated
		if began := v.health.Began(); began.After(since) {
			since = began
		}
		yes = true
	}
	return since, recent, yes
}

// goesOut: as far as is known, mail goes out.
func (s *snapshot) goesOut() bool {
	usable, known := false, false
	for i := range s.Servers {
		v := &s.Servers[i]
		known = known || !v.unused
		usable = usable || !v.unused && !v.failing && v.used.DayFree.IsZero()
	}
	return (usable || !known) && s.runs()
}

// servingAge is how old the last run of serve may be. Runs end about each minute, later with slow servers.
const servingAge = 5 * time.Minute

// runs: flush or serve can make runs. A serve goes on by the settings that it has, even if the config
// has a mistake by now.
func (s *snapshot) runs() bool {
	return !s.unwritable && (s.serving || s.ConfigError == nil && s.FlushError == nil)
}

// lasting says how long something has lasted, if that is known.
func (s *snapshot) lasting(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return ", for " + term.Span(max(s.now.Sub(since), 0))
}

// atLimit: it is a service, whose sending limit for this site is reached.
func (v *server) atLimit() bool {
	return v.Name == config.ViaService && !v.unused && v.failing && v.health.Last.Reason == spool.ReasonLimit
}

// atLimit: mail goes out by such a service.
func (s *snapshot) atLimit() bool {
	for i := range s.Servers {
		if s.Servers[i].atLimit() {
			return true
		}
	}
	return false
}

// sendingOK: mail goes out, or what is known about the servers is outdated.
func (s *snapshot) sendingOK() bool {
	_, recent, yes := s.noServer()
	return s.goesOut() || yes && !recent && s.runs()
}

// dueFor is how long the oldest due message has been due; 0: nothing is, or it is due
// only because a clock jumped.
func (s *snapshot) dueFor() time.Duration {
	if s.sends.due == 0 {
		return 0
	}
	return s.since(s.NextSendAt)
}

// waitingFor is how long the first message has been waiting for a server; 0: none does.
func (s *snapshot) waitingFor() time.Duration { return s.since(s.WaitingForServerSince) }

func (s *snapshot) since(at *time.Time) time.Duration {
	if at == nil {
		return 0
	}
	return max(s.now.Sub(*at), 0)
}

// ago says when something was or will be.
func (s *snapshot) ago(at time.Time) string { return term.Ago(at, s.now) }
