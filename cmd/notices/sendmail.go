package main

import (
	"cmp"
	"context"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/queue"
	"notices/config"
	"notices/spool"
	"notices/spool/records"
	"notices/spool/submission"
)

func sendmailCommand(a *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "sendmail [-t] [-i] [-f SENDER] [-F NAME] [RECIPIENT...] < message",
		Short: "Queue one message as /usr/sbin/sendmail does; also the names sendmail, mailq and newaliases",
		Long: "Queues one message from standard input, as programs expect it that call /usr/sbin/sendmail.\n" +
			"-bp prints the queue, -q attempts it, -bs speaks SMTP. The program does the same when\n" +
			"it is called as sendmail, mailq or newaliases. All options: notices-sendmail(1)",
		DisableFlagParsing: true, // sendmail's are not like others
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "--help" {
				return cmd.Help()
			}
			a.started = true
			return a.sendmail(cmd.Context(), args)
		},
	}
}

// sendmail does what the options ask for. Queueing is in package app, because the small
// program does it too.
func (a *cli) sendmail(ctx context.Context, args []string) error {
	s, err := a.Sendmail(args)
	if err != nil {
		return err
	}
	a.Verbose = s.Verbose
	switch s.Mode {
	case app.SendmailList:
		return a.mailq(ctx)
	case app.SendmailFlush:
		return flushOf(a, s.Which).run(ctx)
	case app.SendmailSMTP:
		return a.serveSMTP(ctx)
	}
	return s.Run(ctx, a.Program)
}

// flushOf is the flush that a -q stands for. A person types -q, or a script does when
// the line is up again: everything is tried. -q30m came with -bd, and a cron job that
// has it runs on: what is due. -qI and an id is that message, due or not; -qR and -qS
// are the messages to or from an address that has the text in it.
func flushOf(a *cli, which string) *flushing {
	r := &flushing{a: a}
	switch {
	case len(which) > 1 && which[0] == 'I':
		r.IDs = []spool.ID{spool.ID(which[1:])}
		return r
	case len(which) > 1 && which[0] == 'R':
		r.Only = isRecipient(which[1:])
	case len(which) > 1 && which[0] == 'S':
		r.Only = isSender(which[1:])
	case which != "" && which[0] >= '0' && which[0] <= '9':
		return r
	}
	r.All = true
	return r
}

// isRecipient: a recipient whose mail is still to go out has the text in its address.
func isRecipient(text string) func(*spool.Record) bool {
	return func(r *spool.Record) bool {
		return slices.ContainsFunc(r.Pending(), func(i int) bool { return hasText(r.Recipients[i].Address, text) })
	}
}

// isSender: the sender, be it the one that goes out or the one that returns go to, has
// the text in it; <> is the null sender.
func isSender(text string) func(*spool.Record) bool {
	return func(r *spool.Record) bool {
		return hasText("<"+r.Envelope.Sender+">", text) || r.Envelope.ReturnTo != "" && hasText(r.Envelope.ReturnTo, text)
	}
}

// hasText ignores case: nobody knows how an address was written.
func hasText(address, text string) bool {
	return strings.Contains(strings.ToLower(address), strings.ToLower(text))
}

// mailq prints the queue as list does; how it begins when empty and ends when not is
// Postfix's, because programs that watch a queue look for that.
func (a *cli) mailq(ctx context.Context) error {
	return withMessages(a, func(q *queue.Queue) error {
		entries, err := records.List(ctx, q.Store, func(spool.Entry) bool { return true })
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			_, err := fmt.Fprintln(a.Stdout, "Mail queue is empty")
			return err
		}
		octets, err := q.Print(ctx, entries, queue.ListOptions{Senders: true})
		if err != nil {
			return err
		}
		noun := "Requests"
		if len(entries) == 1 {
			noun = "Request"
		}
		_, err = fmt.Fprintf(a.Stdout, "-- %d Kbytes in %d %s.\n", (octets+1023)/1024, len(entries), noun)
		return err
	})
}

// serveSMTP speaks SMTP on standard input and output. When the client closes the connection
// it ends, but it must not be killed between a message's commit and its answer: a message that
// was answered is stored, and the client hands in again what was not answered.
func (a *cli) serveSMTP(ctx context.Context) error {
	signal.Ignore(syscall.SIGPIPE)
	cfg, err := a.Load(config.Intake)
	if err != nil {
		return err
	}
	store, log, err := a.OpenIntake(cfg)
	if err != nil {
		return err
	}
	defer a.CloseLog(log)
	submission.Serve(ctx, submission.Stdio(a.Stdin, a.Stdout), submission.Options{
		Intake:   a.Intake(cfg, store, log),
		Hostname: cmp.Or(a.FindHostname(cfg, false)(), "localhost"),
		Local:    true,
	})
	return nil // what was answered is durable; the store is left to the end of the process
}
