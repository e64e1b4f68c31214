package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/past"
)

func historyCommand(a *cli) *cobra.Command {
	o := past.HistoryOptions{Since: past.NewWhen(a.Now), Until: past.NewWhen(a.Now)}
	cmd := &cobra.Command{
		ValidArgsFunction: a.completeIDs,
		Use: "history [ID...] [--to ADDRESS] [--sender ADDRESS] [--ref TEXT] [--site SITE] [--server SERVER] [--outcome OUTCOMES] [--since WHEN] [--until WHEN] " +
			"[--json|--csv]",
		Short: "Show what became of messages, for each recipient",
		Long: "Show what became of messages, for each recipient. Without an option, all that is known is shown.\n" +
			"What has left the queue is kept as long as keep_history in [spool] says, by default 90 days.",
	}
	f := cmd.Flags()
	f.StringVar(&o.To, "to", "", "only to this `ADDRESS`, this domain, or a recipient with this text")
	f.StringVar(&o.Sender, "sender", "", "only from this `ADDRESS`, this domain, or a sender with this text; <> is the null sender")
	f.StringVar(&o.Ref, "ref", "", "only with exactly this reference: the `TEXT` that enqueue --ref was given")
	f.StringVar(&o.Site, "site", "", "only of this `SITE` of a hosted service")
	f.StringVar(&o.Server, "server", "", "only messages that this `SERVER` handled last: its name, as in status, or its host")
	f.StringSliceVar(&o.Outcomes, "outcome", nil, "only these `OUTCOMES`: waiting, delivered, returned, failed, removed, bounced; more than one with commas")
	f.Var(&o.Since, "since", "only what ended at `WHEN` or later, and what waits: 7d (ago), 2026-11-23, \"2026-11-23 14:30\", today, yesterday")
	f.Var(&o.Until, "until", "only what ended before `WHEN`, and what waits and was queued before it")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	f.BoolVar(&o.CSV, "csv", false, "print CSV, for a spreadsheet or a catalogue")
	complete(cmd, "outcome", completeWords(past.OutcomeWords()...))
	complete(cmd, "server", a.completeServers)
	complete(cmd, "site", completeSiteNames(a))
	for _, option := range []string{"to", "sender", "ref"} {
		complete(cmd, option, cobra.NoFileCompletions)
	}
	for _, option := range []string{"since", "until"} {
		complete(cmd, option, completeWhen)
	}
	cmd.RunE = a.runE(func(ctx context.Context, args []string) error {
		o.IDs = args
		if err := o.Check(f.Changed); err != nil {
			return app.UsageError("notices history", err)
		}
		return a.withPast(func(p *past.Past) error { return p.History(ctx, o) })
	})
	return cmd
}
