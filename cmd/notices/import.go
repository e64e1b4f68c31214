package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/importer"
)

func importCommand(a *cli) *cobra.Command {
	var (
		o       importer.Options
		sender  string
		expires app.Duration
		mbox    string
	)
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "import [-f SENDER] [--ref TEXT] [--expires DURATION] [--again [--continue]] [--mbox separator=blank|any] [--dry-run] [--json] PATH...",
		Short: "Queue the messages in files, mboxes, folders and other spools, none twice",
		RunE: a.runE(func(ctx context.Context, args []string) error {
			o.Paths, o.Expires = args, time.Duration(expires)
			if cmd.Flags().Changed("sender") {
				o.Sender = &sender
			}
			switch {
			case len(args) == 0:
				return app.UsageError("notices import", errors.New("which files? Name an .eml, an mbox, a Maildir, a folder of .eml or another spool; - is standard input"))
			case !o.SetSeparator(mbox):
				return app.UsageError("notices import", errors.New("--mbox takes separator=blank, when every message of an mbox begins after an empty line, or separator=any, when every \"From \" line with a date begins one"))
			case o.Continue && !o.Again:
				return app.UsageError("notices import", errors.New("--continue needs --again; any other import continues when it is run again"))
			}
			if err := checkExpires(cmd, expires); err != nil {
				return err
			}
			return needsDatabase(a, importer.Run(ctx, a.Program, o),
				"it does not know what was imported before; when the database can be reached, run the same command again, which queues nothing twice")
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&sender, "sender", "f", "", "the envelope `SENDER` of all of them; default: [site] address; <> is the null sender")
	f.StringVar(&o.Ref, "ref", "", "a `TEXT` of your own for all of them, e.g. the name of the run; it comes back in returns and lists")
	f.Var(&expires, "expires", "give up after this `DURATION` instead of [retry] give_up")
	f.BoolVar(&o.Again, "again", false, "queue what an earlier import queued once more")
	f.BoolVar(&o.Continue, "continue", false, "with --again: pass over what the last import --again queued before it was interrupted")
	f.StringVar(&mbox, "mbox", "", "which \"From \" lines of an mbox begin a message: `separator=blank`, those after an empty line; separator=any, those with a date")
	f.BoolVar(&o.DryRun, "dry-run", false, "print what would be queued, and queue nothing")
	f.BoolVar(&o.JSON, "json", false, "print what was done as JSON")
	return cmd
}
