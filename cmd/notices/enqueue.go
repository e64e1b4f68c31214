package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/spool/intake"
)

// enqueueCommand is the enqueue that cmd/notices-queue does for most callers: its help,
// and what is wrong with its options, are here alone.
func enqueueCommand(a *cli) *cobra.Command {
	var (
		r       intake.Request
		sender  string
		expires app.Duration
	)
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "enqueue [-f SENDER] [--ref TEXT] [--expires DURATION] [RECIPIENT...] < message",
		Short: "Queue one message from standard input and print its queue id",
		RunE: a.runE(func(ctx context.Context, args []string) error {
			r.Recipients, r.Expires = args, time.Duration(expires)
			if cmd.Flags().Changed("sender") {
				r.Sender = &sender
			}
			if err := checkExpires(cmd, expires); err != nil {
				return err
			}
			return a.Queue(ctx, r)
		}),
	}
	f := cmd.Flags()
	f.StringVarP(&sender, "sender", "f", "", "the envelope `SENDER`; default: [site] address; <> is the null sender")
	f.StringVar(&r.Ref, "ref", "", "a `TEXT` of your own, e.g. a patron's number; it comes back in returns and lists")
	f.Var(&expires, "expires", "give up after this `DURATION` instead of [retry] give_up")
	return cmd
}

// checkExpires refuses an --expires that leaves no time.
func checkExpires(cmd *cobra.Command, expires app.Duration) error {
	if !cmd.Flags().Changed("expires") || expires > 0 {
		return nil
	}
	return app.UsageError(cmd.CommandPath(), errors.New("--expires takes a time that leaves room for an attempt, such as 4h"))
}
