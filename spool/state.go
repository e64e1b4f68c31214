package spool

import (
	"context"
	"encoding/json"
	"fmt"
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
	RateName      = "rate-"   // + server: delivery's own
	LastFlushName = "last-flush"
)

// Health is what is remembered of a server from run to run.
type Health struct {
	DownUntil time.Time `json:"down_until,omitzero"`
	// Troubles in a row, for the doubling of the pause; 0: it is well.
	Troubles int `json:"troubles,omitempty"`
	// Last trouble.
	Last Outcome `json:"last,omitzero"`
	// Secret is a salted digest of the secret that was refused; another one ends the pause.
	Secret string `json:"secret,omitempty"`
	// Notice is a standing word for status: a TLS step down, a sender that may not be used.
	Notice   string    `json:"notice,omitempty"`
	NoticeAt time.Time `json:"notice_at,omitzero"`
}

// TestResult is what `notices test-server` remembers.
type TestResult struct {
	At     time.Time `json:"at"`
	OK     bool      `json:"ok"`
	Detail string    `json:"detail"` // the accepting reply, or the error in full
}

// LastFlush is what the latest run of flush that ended did.
type LastFlush struct {
	At time.Time `json:"at"`
	Tally
}

// Tally counts messages, each once: failed (went to failed/), else returned (any
// recipient), else deferred (any left), else sent.
type Tally struct {
	Sent     int `json:"sent"`
	Deferred int `json:"deferred"`
	Returned int `json:"returned"`
	Failed   int `json:"failed"`
}

// LoadState reads a JSON value; the zero value when there is none.
func LoadState[T any](ctx context.Context, s State, name string) (T, error) {
	var v T
	b, err := s.Load(ctx, name)
	if err != nil || len(b) == 0 {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("state value %q is damaged: %w", name, err)
	}
	return v, nil
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
