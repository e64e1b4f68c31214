package returned

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/maillog"
	"notices/spool/returns"
	"notices/spool/service"
)

// passing passes bounces of the mail of hosted sites on to them. That mail has the service as its
// sender, and so only the service gets its bounces.
//
// A site gets a return of our own, as if the first server had refused the message: its programs
// read one form, and nothing of another server's signatures and addresses is in it. The return is
// queued before the history says that the message bounced, under an id that is derived from the
// message's: after a crash in between, the same return is not queued again.
type passing struct {
	p     *app.Program
	store spool.Store
	site  bounce.Site
	log   *maillog.Log
}

// bounces is for returns.Matcher.Before.
func (f *passing) bounces(ctx context.Context, results []returns.Result) error {
	byID, err := f.unsent(ctx, results)
	if err != nil {
		return err
	}
	register := &service.Register{State: f.store.State(), Now: f.p.Now}
	for id, entries := range byID {
		site, err := register.Lookup(ctx, entries[0].Site)
		if errors.Is(err, service.ErrUnknown) {
			f.p.Say("a bounce of message %s is not passed on: its site %s is not registered any more", entries[0].ID, entries[0].Site)
			continue
		}
		if err == nil && entries[0].QueuedAt.Before(site.Created) {
			// The site was revoked, and its name is another customer's now.
			f.p.Say("a bounce of message %s is not passed on: site %s was revoked and registered anew since the message was queued", entries[0].ID, site.ID)
			continue
		}
		if err == nil {
			err = f.queue(ctx, id, site.Address, entries)
		}
		if err != nil {
			return fmt.Errorf("a bounce of message %s could not be passed on to its site: %w", entries[0].ID, err)
		}
	}
	return nil
}

// unsent are the entries to pass on, by the id of the return, without those that were passed
// on and have left the queue. Our own reports are never returned.
func (f *passing) unsent(ctx context.Context, results []returns.Result) (map[spool.ID][]spool.HistoryEntry, error) {
	byID := map[spool.ID][]spool.HistoryEntry{}
	var q spool.HistoryQuery
	for i := range results {
		entries := results[i].Entries
		if results[i].Verdict != returns.Bounced || entries[0].Site == "" || entries[0].Sender == "" || entries[0].Form != spool.Ordinary {
			continue
		}
		id := entries[0].ID + ".b" + spool.ID(strconv.Itoa(entries[0].Index))
		byID[id], q.IDs = entries, append(q.IDs, id)
	}
	if len(byID) == 0 {
		return nil, nil
	}
	_, err := f.store.History(ctx, q, func(e *spool.HistoryEntry) bool {
		delete(byID, e.ID)
		return true
	})
	return byID, err
}

// queue queues the return to a site. If it is queued already, nothing is done.
func (f *passing) queue(ctx context.Context, id spool.ID, to string, entries []spool.HistoryEntry) error {
	report := f.report(id, to, entries)
	env := spool.Envelope{
		ID: id, Recipients: []string{to}, QueuedAt: f.p.Second(), Ref: entries[0].Ref, Site: entries[0].Site,
		MessageID: f.site.MessageID(id), Form: spool.Report,
	}
	env.EightBit, env.UTF8 = report.Encoding()
	d, err := f.store.New(ctx, id)
	if err == nil {
		defer func() { _ = d.Abort() }() // harmless after Commit
		err = bounce.Compose(d, f.site, report)
	}
	if err == nil {
		env.Size = d.Len()
		err = d.Seal(env)
	}
	if err == nil {
		_, err = f.store.Commit(ctx, d)
	}
	if errors.Is(err, spool.ErrExists) {
		return nil
	}
	if err == nil {
		f.log.Returned(entries[0].ID, id, to, len(entries))
	}
	return err
}

// report is the return, of what the history knows of the message.
func (f *passing) report(id spool.ID, to string, entries []spool.HistoryEntry) bounce.Report {
	first := &entries[0]
	env := spool.Envelope{ID: first.ID, Sender: first.Sender, ReturnTo: to, QueuedAt: first.QueuedAt, Ref: first.Ref, Site: first.Site, MessageID: first.MessageID}
	env.EnvelopeID = first.EnvelopeID
	for i := range entries {
		env.Recipients = append(env.Recipients, entries[i].Recipient)
	}
	rec := spool.NewRecord(env)
	var all []int
	for i := range entries {
		rec.Recipients[i].State, rec.Recipients[i].Outcome = spool.RecipientFailed, entries[i].Last
		rec.Attempts, all = max(rec.Attempts, entries[i].Attempts), append(all, i)
	}
	header := "Message-ID: " + first.MessageID + "\r\n\r\n"
	return bounce.Report{ID: id, Kind: bounce.Late, Record: rec, Recipients: all, Now: f.p.Now(), Original: knownHeader{bytes.NewReader([]byte(header))}, To: to}
}

// knownHeader is what is left of a message that was sent: what the site finds it by.
type knownHeader struct{ *bytes.Reader }

func (knownHeader) Close() error { return nil }
