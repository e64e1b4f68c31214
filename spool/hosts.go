package spool

import (
	"context"
	"time"
)

// Host is one of the machines that share a spool.
type Host struct {
	Name      string
	LastFlush time.Time     // when its latest flush ended; zero: none has
	Age       time.Duration // how long ago that was, by the clock of the spool
	Claimed   int           // messages that it has claimed now
}

// Hosts is what a Store implements that several machines share.
type Hosts interface {
	// Flushed notes that this host has ended a flush.
	Flushed(ctx context.Context) error
	// Hosts lists the hosts by name. Unless claims is set, Claimed is 0.
	Hosts(ctx context.Context, claims bool) ([]Host, error)
}
