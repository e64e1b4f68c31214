package rate

import (
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
	Domains  []string // names as they are behind the @, in any case, in the xn-- form or not
	Messages int
	Per      time.Duration
}

// limitName begins the name of a limit's value in the State; the first of its domains in
// alphabetical order follows. So the count survives a change of the order or of the numbers.
const limitName = "limit-"

// Limits are all limits of a run. A domain is under one of them at most.
type Limits struct {
	list  []*limit
	under map[string]*limit
}

// limit is one of them in one run.
type limit struct {
	quota     *Quota
	requested atomic.Bool  // by a message of this run
	waiting   atomic.Int64 // messages of this run that it put off, wholly or in part
}

// NewLimits makes the limits of a run, counted in state.
func NewLimits(list []Limit, state spool.State, now func() time.Time) *Limits {
	ls := &Limits{under: map[string]*limit{}}
	for _, l := range list {
		// The grace must be a small part of a short window.
		grace := max(time.Millisecond, min(graceTime, l.Per/20))
		w := &limit{quota: newQuota(l.stateName(), l.String(), budget{perLong: l.Messages, long: l.Per, grace: grace}, 1, state, now)}
		if w.quota.unlimited() {
			continue
		}
		ls.list = append(ls.list, w)
		for _, d := range l.Domains {
			if key := asciiDomain(d); ls.under[key] == nil { // a second one is refused, see Duplicate
				ls.under[key] = w
			}
		}
	}
	return ls
}

// String is the limit for a person: "[[limit]] of 100 in 1h for gmail.com".
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
	if name := limitName + first; spool.ID(name).Valid() {
		return name
	}
	h := fnv.New64a() // too long for a file name, or no domain at all
	h.Write([]byte(first))
	return limitName + strconv.FormatUint(h.Sum64(), 16)
}

// asciiDomain is the form in which domains are compared: lower case, and what is
// not ASCII in its xn-- form (RFC 5890 2.3.2.1).
func asciiDomain(domain string) string { return recode.HeaderAddress(strings.ToLower(domain)) }

func domainOf(address string) string {
	return asciiDomain(address[strings.LastIndexByte(address, '@')+1:])
}

// Duplicate finds a domain that is in two limits, in the same form or another: it would be unclear
// which of them counts. first and second are their indices; ok: one was found.
func Duplicate(list []Limit) (domain string, first, second int, ok bool) {
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

// Reservations are the transactions that one message counts under limits.
type Reservations struct {
	list []reservation
	of   []int // for each recipient the index in list, or -1
}

// reservation is a message's right to one transaction under a limit.
type reservation struct {
	limit  *limit
	at     time.Time // when it was counted
	held   bool
	putOff bool // the limit put recipients of the message off
}

// For returns the reservations that a message to these recipients needs; nil: it is under no limit.
// None of them is made yet.
func (ls *Limits) For(recipients []string) *Reservations {
	if len(ls.under) == 0 {
		return nil
	}
	r := &Reservations{of: make([]int, len(recipients))}
	for i, to := range recipients {
		r.of[i] = -1
		if l := ls.under[domainOf(to)]; l != nil {
			r.of[i] = slices.IndexFunc(r.list, func(other reservation) bool { return other.limit == l })
			if r.of[i] < 0 {
				r.of[i] = len(r.list)
				r.list = append(r.list, reservation{limit: l})
			}
		}
	}
	return r
}

// Reserve counts a transaction under every limit that one of the open recipients is under. Those
// whose limit is used up are put off, and the others go on. With renew, right before a transaction,
// reservations that have aged are renewed.
func (r *Reservations) Reserve(ctx context.Context, open []int, renew bool, putOff func(*Exhausted, []int)) error {
	if r == nil {
		return nil
	}
	for k := range r.list {
		v := &r.list[k]
		under := slices.DeleteFunc(slices.Clone(open), func(i int) bool { return r.of[i] != k })
		if v.held != renew || len(under) == 0 {
			continue
		}
		v.limit.requested.Store(true)
		reserve := v.limit.quota.Take
		if renew {
			reserve = func(ctx context.Context) (time.Time, error) { return v.limit.quota.Renew(ctx, v.at) }
		}
		at, err := reserve(ctx)
		var used *Exhausted
		switch {
		case err == nil:
			v.at, v.held = at, true
		case errors.As(err, &used):
			if v.held = false; !v.putOff {
				v.putOff = true
				v.limit.waiting.Add(1)
			}
			putOff(used, under)
		default:
			return err
		}
	}
	return nil
}

// Use uses the reservation of a recipient that a server decided on.
func (r *Reservations) Use(recipient int) {
	if r != nil && r.of[recipient] >= 0 {
		r.list[r.of[recipient]].held = false
	}
}

// PutBack returns the reservations that were not used.
func (r *Reservations) PutBack() {
	if r == nil {
		return
	}
	for k := range r.list {
		if v := &r.list[k]; v.held {
			v.held = false
			v.limit.quota.PutBack(v.at)
		}
	}
}

// Close gives back what was reserved and not used. It notes for `notices status` how many messages
// wait, unless the run did not ask for all messages (incomplete).
func (ls *Limits) Close(ctx context.Context, incomplete bool) error {
	var errs []error
	for _, l := range ls.list {
		errs = append(errs, l.quota.Close(ctx))
		if !l.requested.Load() || incomplete {
			continue
		}
		errs = append(errs, spool.UpdateState(context.WithoutCancel(ctx), l.quota.state, l.quota.name, false, func(led *ledger) error {
			led.Waiting, led.At = int(l.waiting.Load()), l.quota.now().UTC().Truncate(time.Second)
			return nil
		}))
	}
	return errors.Join(errs...)
}
