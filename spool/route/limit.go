package route

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"notices/spool"
	"notices/spool/recode"
)

// Limit is a [[limit]]: at most so many transactions with recipients in one of the
// domains, in any window of that length, over all servers and all flushes. A
// transaction that a server passes on to the next one is counted once.
type Limit struct {
	Domains  []string // names as they stand behind the @, in any case; xn-- or not is the same
	Messages int
	Per      time.Duration
}

// limitName is how the name of a limit's value in the State begins; the first of
// its domains in the alphabet follows. So the count outlives a change of the order
// or of the numbers.
const limitName = "limit-"

// limits are all of a route. A domain is under one of them at most.
type limits struct {
	list  []*limit
	under map[string]*limit
}

// limit is one of them in one run.
type limit struct {
	quota   *quota
	asked   atomic.Bool  // by a message of this run
	waiting atomic.Int64 // messages of this run that it put off, wholly or in part
}

func newLimits(list []Limit, state spool.State, now func() time.Time) *limits {
	ls := &limits{}
	for _, l := range list {
		w := &limit{quota: newLimitQuota(l, state, now)}
		if w.quota.unlimited() {
			continue
		}
		ls.list = append(ls.list, w)
		for _, d := range l.Domains {
			if ls.under == nil {
				ls.under = map[string]*limit{}
			}
			if key := asciiDomain(d); ls.under[key] == nil { // a second one is refused, see Twice
				ls.under[key] = w
			}
		}
	}
	return ls
}

func newLimitQuota(l Limit, state spool.State, now func() time.Time) *quota {
	q := &quota{
		name: l.stateName(), what: l.String(),
		// Of a short window the grace must not eat much.
		budget: budget{perLong: l.Messages, long: l.Per, grace: max(time.Millisecond, min(graceTime, l.Per/20))},
		state:  state, now: now, turn: make(chan struct{}, 1),
	}
	q.setBlock()
	return q
}

// String is the limit as it is told: "[[limit]] of 100 in 1h for gmail.com".
func (l Limit) String() string {
	return fmt.Sprintf("[[limit]] of %d in %s for %s", l.Messages, inUnits(l.Per), l.Name())
}

// Window is Per as the configuration writes it.
func (l Limit) Window() string { return inUnits(l.Per) }

// Name is its domains, or the first of many.
func (l Limit) Name() string {
	const most = 3
	if n := len(l.Domains); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(l.Domains[:most-1], ", "), n-most+1)
	}
	return strings.Join(l.Domains, ", ")
}

// inUnits writes a duration as the configuration does.
func inUnits(d time.Duration) string {
	for _, u := range [...]struct {
		one    time.Duration
		letter string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= u.one && d%u.one == 0 {
			return strconv.FormatInt(int64(d/u.one), 10) + u.letter
		}
	}
	return d.String()
}

func (l Limit) stateName() string {
	var first string
	for _, d := range l.Domains {
		if d = asciiDomain(d); first == "" || d < first {
			first = d
		}
	}
	name := limitName + first
	if spool.ID(name).Valid() {
		return name
	}
	h := fnv.New64a() // too long for a file name, or no domain at all
	h.Write([]byte(first))
	return limitName + strconv.FormatUint(h.Sum64(), 16)
}

// asciiDomain is the form in which domains are compared: lower case, and what is
// not ASCII in its xn-- form (RFC 5890 2.3.2.1).
func asciiDomain(domain string) string {
	domain = strings.ToLower(domain)
	if a, err := recode.ASCIIDomain("x@" + domain); err == nil {
		return a[len("x@"):]
	}
	return domain
}

// Twice finds a domain that is in two limits, or in one and another form of it in the
// other: which of them would count? They are told as indices; ok: there is one.
func Twice(list []Limit) (domain string, first, second int, ok bool) {
	in := map[string]int{}
	for i, l := range list {
		for _, d := range l.Domains {
			key := asciiDomain(d)
			if k, there := in[key]; there && k != i {
				return d, k, i, true
			}
			in[key] = i
		}
	}
	return "", 0, 0, false
}

// ticket is a message's right to one transaction under a limit.
type ticket struct {
	limit *limit
	at    time.Time // when it was counted
	held  bool
	off   bool // the limit put recipients of the message off
}

// concern notes which limits the message is under.
func (ls *limits) concern(j *job) {
	if len(ls.under) == 0 {
		return
	}
	for i, to := range j.m.Recipients {
		l := ls.under[asciiDomain(to[strings.LastIndexByte(to, '@')+1:])]
		if l == nil {
			continue
		}
		if j.ticketOf == nil {
			j.ticketOf = make([]int, len(j.m.Recipients))
		}
		k := slices.IndexFunc(j.tickets, func(t ticket) bool { return t.limit == l })
		if k < 0 {
			k = len(j.tickets)
			j.tickets = append(j.tickets, ticket{limit: l})
		}
		j.ticketOf[i] = k + 1
	}
}

// admit sees to it that there is a ticket for every limit that somebody still open
// is under. Where there is none to be had, those are put off: the others go on.
func (j *job) admit(ctx context.Context) error {
	for k := range j.tickets {
		t := &j.tickets[k]
		under := j.openUnder(k)
		if t.held || len(under) == 0 {
			continue
		}
		t.limit.asked.Store(true)
		at, err := t.limit.quota.take(ctx)
		if err := j.ticketed(t, at, err, under); err != nil {
			return err
		}
	}
	return nil
}

// renewTickets is admit right before a transaction: what was counted a while ago is
// counted anew.
func (j *job) renewTickets(ctx context.Context) error {
	for k := range j.tickets {
		t := &j.tickets[k]
		if !t.held {
			continue
		}
		at, err := t.limit.quota.renew(ctx, t.at)
		if err := j.ticketed(t, at, err, j.openUnder(k)); err != nil {
			return err
		}
	}
	return nil
}

// ticketed notes what came of the wish for a ticket.
func (j *job) ticketed(t *ticket, at time.Time, err error, under []int) error {
	var used *quotaExhausted
	switch {
	case err == nil:
		t.at, t.held = at, true
	case errors.As(err, &used):
		if t.held = false; !t.off {
			t.off = true
			t.limit.waiting.Add(1)
		}
		j.putOff(used, under)
	default:
		return err
	}
	return nil
}

// openUnder are the recipients still open for whom the ticket is.
func (j *job) openUnder(k int) []int {
	var under []int
	for _, i := range j.open {
		if j.ticketOf[i] == k+1 {
			under = append(under, i)
		}
	}
	return under
}

// putOff leaves recipients for another run: it is no attempt for them.
func (j *job) putOff(used *quotaExhausted, under []int) {
	if used.until.After(j.until) {
		j.until = used.until
	}
	o := used.outcome()
	for _, i := range under {
		j.out[i] = o
	}
	j.open = slices.DeleteFunc(slices.Clone(j.open), func(i int) bool { return j.out[i].Reason == spool.ReasonRate })
}

// useTicket uses the ticket of a recipient whom a server decided on.
func (j *job) useTicket(i int) {
	if j.ticketOf != nil && j.ticketOf[i] > 0 {
		j.tickets[j.ticketOf[i]-1].held = false
	}
}

// giveTicketsBack returns those that were not used.
func (j *job) giveTicketsBack() {
	for k := range j.tickets {
		if t := &j.tickets[k]; t.held {
			t.held = false
			t.limit.quota.putBack(t.at)
		}
	}
}

// close gives back what was reserved and not used, and notes for `notices status`
// how many messages wait; but not if some were not even asked for.
func (ls *limits) close(ctx context.Context, some bool) error {
	var errs []error
	for _, l := range ls.list {
		errs = append(errs, l.quota.close(ctx))
		if !l.asked.Load() || some {
			continue
		}
		errs = append(errs, spool.UpdateState(context.WithoutCancel(ctx), l.quota.state, l.quota.name, false, func(led *ledger) error {
			led.Waiting, led.At = int(l.waiting.Load()), l.quota.now().UTC().Truncate(time.Second)
			return nil
		}))
	}
	return errors.Join(errs...)
}

// Usage is how far a limit is used up.
type Usage struct {
	Limit
	Used    int       // transactions in the window that ends now
	Free    time.Time // when the next is allowed, if none is now; else zero
	Waiting int       // messages that the last run with mail for its domains put off
	At      time.Time // when that was; zero: there was none
}

// Usages looks at all of them, changing nothing.
func Usages(ctx context.Context, state spool.State, list []Limit, now time.Time) ([]Usage, error) {
	var all []Usage
	for _, l := range list {
		led, err := spool.LoadState[ledger](ctx, state, l.stateName())
		if err != nil {
			return nil, err
		}
		led.Long = slide(led.Long, now, l.Per)
		u := Usage{Limit: l, Used: count(led.Long), Waiting: led.Waiting, At: led.At}
		if u.Used >= l.Messages && u.Used > 0 {
			u.Free = frees(led.Long, l.Per)
		}
		all = append(all, u)
	}
	return slices.SortedStableFunc(slices.Values(all), func(a, b Usage) int { return cmp.Compare(b.Waiting, a.Waiting) }), nil
}
