// Package past is what the commands on the past do: they say what became of the messages that
// left the queue, beside those that still wait. A command of cobra reads the options and
// calls a method of Past.
package past

import (
	"context"

	"notices/cmd/internal/app"
	"notices/spool/history"
	"notices/spool/service"
)

// Past is what the commands on the past work with.
type Past struct {
	Program *app.Program
	Source  history.Source
	// FindSite finds the site of a hosted service that a filter means; else exit 66.
	FindSite func(ctx context.Context, id string) (*service.Site, error)
	// Kept is false if nothing is kept: [spool] keep_history is "0" in ConfigFile.
	Kept       bool
	ConfigFile string
}
