package flush

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"notices/spool"
)

// The id of a report is derived from the id of its message, so that a report that is stored
// again after a crash is stored once (spool.ErrExists).
//
// But the report may have been stored, sent and removed before the crash. Therefore no
// report is sent while its message is still there and does not say that the report was
// stored: the message is finished first. If somebody else has it claimed, the report waits.
const (
	kindReturn = '-' // ID-N: the return for attempt N (spool.ID.Return)
	kindWarn   = 'w' // ID.w: the warning that ID is delayed; there is only one
	kindHold   = 'h' // ID.hN: the notice that ID is held since attempt N
	kindRelay  = 'r' // ID.rN: the report on the recipients that attempt N relayed, for -N success
	kindPlain  = 'p' // ID.p: the report ID once more, from the site's address
	kindFailed = 'f' // ID.f: the notice to the admin that ID went to failed/
)

// reportID is the id of a report, taken apart.
type reportID struct {
	message spool.ID // the message that the report is about
	kind    byte
	n       int // the attempt
}

func warningID(id spool.ID) spool.ID           { return id + ".w" }
func failedNoticeID(id spool.ID) spool.ID      { return id + ".f" }
func plainID(id spool.ID) spool.ID             { return id + ".p" }
func heldNoticeID(id spool.ID, n int) spool.ID { return id + ".h" + spool.ID(strconv.Itoa(n)) }
func relayedID(id spool.ID, n int) spool.ID    { return id + ".r" + spool.ID(strconv.Itoa(n)) }

// parseReportID takes the id of a report apart.
func parseReportID(id spool.ID) (reportID, bool) {
	i := strings.LastIndexAny(string(id), ".-")
	if i <= 0 || i+1 == len(id) {
		return reportID{}, false
	}
	if id[i] == '-' {
		of, n, ok := id.Original()
		return reportID{of, kindReturn, n}, ok
	}
	r := reportID{message: id[:i], kind: id[i+1]}
	rest := string(id[i+2:])
	switch r.kind {
	case kindWarn, kindPlain, kindFailed:
		return r, rest == ""
	case kindHold, kindRelay:
		n, err := strconv.Atoi(rest)
		r.n = n
		return r, err == nil && n > 0
	}
	return reportID{}, false
}

// storedIn reports whether the message's record says that the report was stored.
func (r reportID) storedIn(rec *spool.Record) bool {
	switch r.kind {
	case kindReturn:
		return rec.ReturnedIn >= r.n
	case kindWarn:
		return rec.Warned
	case kindFailed:
		return rec.GivenUp
	case kindRelay:
		return rec.RelayReportedIn >= r.n
	case kindHold:
		return slices.ContainsFunc(rec.Events, func(e spool.Event) bool { return e.Kind == spool.Hold && e.N >= r.n })
	}
	return rec.ReturnedIn > 0
}

// sendReports sends reports that were found in the queue.
func (e *engine) sendReports(ctx context.Context, reports *entryList) {
	if reports.n == 0 || e.stopped(ctx) {
		return
	}
	messages, err := messagesOf(e.work, e.Store, reports)
	if err != nil {
		e.results.stop(err)
		return
	}
	e.round(ctx, reports, func(ctx context.Context, report spool.Entry) { e.serveReport(ctx, report, messages[report.ID]) })
}

// messagesOf lists the queue once more, for the messages of reports that were found in it. A message
// that this listing misses, because it is being renamed, records what it must: its last renaming
// before that preceded the storing of the report, which the first listing already showed. The
// result is by the report; it lacks those whose message has left the queue.
func messagesOf(ctx context.Context, s spool.Store, reports *entryList) (map[spool.ID]spool.Entry, error) {
	about := map[spool.ID][]spool.ID{} // reports by their message
	for report := range reports.all() {
		r, _ := parseReportID(report.ID)
		about[r.message] = append(about[r.message], report.ID)
	}
	messages := map[spool.ID]spool.Entry{}
	err := s.Scan(ctx, func(entry spool.Entry) bool {
		for _, id := range about[entry.ID] {
			messages[id] = entry
		}
		return true
	})
	return messages, err
}

// serveReport sends a report that was found in the queue, once its message, which is the zero Entry
// if it is gone, records that the report was stored.
func (e *engine) serveReport(ctx context.Context, report, message spool.Entry) {
	if e.skip(report) {
		return
	}
	r, _ := parseReportID(report.ID)
	if message.ID == "" || r.finish(e, message) {
		e.serve(ctx, report, false)
	}
}

// finish makes the message of a report record that the report was stored. false: not now.
func (r reportID) finish(e *engine, message spool.Entry) bool {
	j := e.claim(message)
	if j == nil {
		_, err := spool.FindOne(e.work, e.Store, r.message)
		return errors.Is(err, spool.ErrGone)
	}
	defer j.end()
	if r.storedIn(j.rec) {
		return true
	}
	over, err := j.followUp()
	if err == nil && !over && r.kind == kindWarn {
		err = j.append(spool.Event{Kind: spool.Warned, At: e.now()}, spool.Soon)
	}
	j.err = err
	return err == nil
}
