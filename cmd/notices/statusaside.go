package main

import (
	"context"
	"path/filepath"

	"notices/config"
	"notices/spool"
)

// asideCounter is a store that can say how many messages and foreign files were set aside.
type asideCounter interface {
	CountAside(ctx context.Context) (n, fromDrop int, err error)
}

// countAside is how many there are, those of other users apart, and where they lie.
func (a *cli) countAside(ctx context.Context, store spool.Store, cfg *config.Config) (n, fromDrop int, dir string) {
	dir = "aside/"
	if cfg != nil {
		dir = filepath.Join(cfg.Spool.Dir, "aside") + "/"
	}
	counter, ok := store.(asideCounter)
	if !ok {
		return 0, 0, dir
	}
	n, fromDrop, err := counter.CountAside(ctx)
	if err != nil { // it is nothing that mail depends on
		a.Say("what lies in %s cannot be counted: %s", dir, err)
	}
	return n, fromDrop, dir
}
