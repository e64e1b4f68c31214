package spool

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// State keeps small named values beside the messages, shared by all processes
// (and hosts) that use the spool. A name is of the alphabet of an ID.
type State interface {
	// Load returns nil when there is no such value.
	Load(ctx context.Context, name string) ([]byte, error)
	// Update replaces the value by what change makes of it, alone: two updates never
	// overlap. change may be called again (a lost race) and must not block. An error
	// of change is returned and leaves the value alone; a nil result removes it.
	// Readers see the old value or the new one, never half. durable: synced.
	Update(ctx context.Context, name string, durable bool, change func(old []byte) ([]byte, error)) error
}

// Names of values. What a server is called is joined on: "health-1", "test-google".
const (
	HealthName    = "health-" // + server: Health
	TestName      = "test-"   // + server: TestResult
	RateName      = "rate-"   // + server: package rate's own
	LastFlushName = "last-flush"
	StuckName     = "stuck" // Stuck
	// BouncesReadName is the value of the last reading of the mailbox of [bounces]: BouncesRead.
	BouncesReadName = "bounces-read"
)

// Health is what is remembered of a server from run to run.
type Health struct {
	DownUntil time.Time `json:"down_until,omitzero"`
	// Troubles counts failures in a row, for the doubling of the pause; 0: it works.
	Troubles int `json:"troubles,omitempty"`
	// Since is when the first of them came; zero: it works, or an older version wrote this.
	Since time.Time `json:"since,omitzero"`
	// Last is the last failure.
	Last Outcome `json:"last,omitzero"`
	// Secret is a salted digest of the secret that was refused; another one ends the pause.
	Secret string `json:"secret,omitempty"`
	// Notice is something for status to show: a TLS step down, a sender that may not be used.
	Notice   string    `json:"notice,omitempty"`
	NoticeAt time.Time `json:"notice_at,omitzero"`
	// AcceptedAt is when the server last accepted a message that has a sender, to a minute.
	AcceptedAt time.Time `json:"took_at,omitzero"`
	// Unopened: the last failure came before a message was sent, so that a connection alone
	// can show that it is over.
	Unopened bool `json:"unopened,omitempty"`
	// UpAt is when a connection last showed that the server works again.
	UpAt time.Time `json:"up_at,omitzero"`
	// Refused are the messages that it refused as a whole since then, the latest few.
	Refused []ID `json:"refused,omitempty"`
}

// TestResult is what `notices test-server` remembers.
type TestResult struct {
	At     time.Time `json:"at"`
	OK     bool      `json:"ok"`
	Detail string    `json:"detail"` // the accepting reply, or the error in full
	// The server that was tested: the value is kept under the server's place in the config,
	// which may name another one by now. Empty: an older version wrote it.
	Host  string `json:"host,omitempty"`
	Port  int    `json:"port,omitempty"`
	Login string `json:"login,omitempty"`
}

// Of reports whether the test was one of that server.
func (t *TestResult) Of(host string, port int, login string) bool {
	return t.Host == "" || strings.EqualFold(t.Host, host) && t.Port == port && (t.Login == "" || t.Login == login)
}

// Of reports whether the health is that of the server of that name; true if it cannot be
// known.
func (h *Health) Of(host string) bool {
	met := h.Last.Reply.Host
	return met == "" || strings.EqualFold(met, host)
}

// Stuck is what runs of flush remember about messages that they cannot handle as usual.
type Stuck struct {
	// Messages are skipped, or finished and cannot be removed: why, and what to do.
	Messages map[ID]string `json:"messages,omitempty"`
	More     int           `json:"more,omitempty"` // further ones, whose ids are not kept
	// Unwritten are results that could not be written to a message's own record. Until they
	// are, the message is not attempted.
	Unwritten map[ID]Event `json:"unwritten,omitempty"`
}

// Began is when the failures in a row began, as far as it is known; zero: it works.
func (h *Health) Began() time.Time {
	switch {
	case h.Troubles == 0:
		return time.Time{}
	case h.Since.IsZero():
		return h.Last.Reply.At
	}
	return h.Since
}

// LastFlush is what the latest run that ended did, of flush or of serve.
type LastFlush struct {
	At time.Time `json:"at"`
	Tally
	// ServedAt is when the latest run of serve ended. Serving: serve was not being stopped then, so
	// the next run followed.
	ServedAt time.Time `json:"served_at,omitzero"`
	Serving  bool      `json:"serving,omitempty"`
}

// BouncesRead is how the latest reading of the mailbox of late returns went.
type BouncesRead struct {
	At      time.Time `json:"at"`
	Error   string    `json:"error,omitempty"` // why it failed; empty: it did not
	Read    int       `json:"read"`            // messages
	Bounced int       `json:"bounced"`         // of them new returns of our own mail
}

// Tally counts messages, each once: failed (went to failed/), else returned (any
// recipient), else deferred (any left), else sent.
type Tally struct {
	Sent     int `json:"sent"`
	Deferred int `json:"deferred"`
	Returned int `json:"returned"`
	Failed   int `json:"failed"`
}

// LoadState reads a JSON value; the zero value if it does not exist.
func LoadState[T any](ctx context.Context, s State, name string) (T, error) {
	v, err := loadState[T](ctx, s, name)
	if err == nil {
		return v, nil
	}
	var none T // a part of a damaged value may have been read
	if l, ok := s.(*lenient); ok && ctx.Err() == nil {
		l.say(name, err)
		return none, nil
	}
	return none, err
}

func loadState[T any](ctx context.Context, s State, name string) (v T, err error) {
	b, err := s.Load(ctx, name)
	if err != nil || len(b) == 0 {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("state value %q is damaged: %w", name, err)
	}
	return v, nil
}

// Lenient is s for a program that only shows values: LoadState takes a value that cannot be
// read for a missing one, and calls say. Load is as ever: a value that is not JSON (a
// sign-in) is for its owner to judge.
func Lenient(s State, say func(name string, err error)) State { return &lenient{s, say} }

type lenient struct {
	State
	say func(name string, err error)
}

// UpdateState changes a JSON value. A damaged one is started anew: what is kept
// here can be lost without losing mail.
func UpdateState[T any](ctx context.Context, s State, name string, durable bool, change func(*T) error) error {
	return s.Update(ctx, name, durable, func(old []byte) ([]byte, error) {
		var v T
		if json.Unmarshal(old, &v) != nil {
			v = *new(T)
		}
		if err := change(&v); err != nil {
			return nil, err
		}
		return json.Marshal(&v)
	})
}
