package main

import (
	"container/heap"
	"sync"
	"time"
)

// epoch is when simulated time begins. Nothing depends on its value.
var epoch = time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)

// clock is simulated time for several goroutines. Only one of them runs at a time; the
// others wait in sleep. So hours pass as fast as their work is done, and each run of the
// simulation does the same.
type clock struct {
	now     time.Duration // since epoch; only the running goroutine may read it
	waiting alarms
	born    int
	all     sync.WaitGroup
}

// alarm wakes one goroutine. Alarms of the same time go off in the order in which they were set.
type alarm struct {
	at   time.Duration
	n    int
	ring chan struct{}
}

type alarms []alarm

func (a alarms) Len() int      { return len(a) }
func (a alarms) Swap(i, k int) { a[i], a[k] = a[k], a[i] }
func (a alarms) Less(i, k int) bool {
	return a[i].at < a[k].at || a[i].at == a[k].at && a[i].n < a[k].n
}
func (a *alarms) Push(x any) { *a = append(*a, x.(alarm)) }

func (a *alarms) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

// set sets an alarm. Its channel has a buffer, so that the sender need not wait.
func (c *clock) set(at time.Duration) alarm {
	c.born++
	a := alarm{at: max(at, c.now), n: c.born, ring: make(chan struct{}, 1)}
	heap.Push(&c.waiting, a)
	return a
}

// start lets live run from a given time on, once the caller sleeps or ends.
func (c *clock) start(at time.Duration, live func()) {
	a := c.set(at)
	c.all.Go(func() {
		<-a.ring
		live()
		c.next()
	})
}

// sleep lets the others run until the given time.
func (c *clock) sleep(until time.Duration) {
	if len(c.waiting) == 0 || until < c.waiting[0].at {
		c.now = max(c.now, until)
		return
	}
	a := c.set(until)
	c.next()
	<-a.ring
}

// next wakes the goroutine with the earliest alarm.
func (c *clock) next() {
	if len(c.waiting) == 0 {
		return
	}
	a := heap.Pop(&c.waiting).(alarm)
	c.now = a.at
	a.ring <- struct{}{}
}

// run lets time pass until no alarm is left.
func (c *clock) run() {
	c.next()
	c.all.Wait()
}

// time is the current time as the program sees it.
func (c *clock) time() time.Time { return epoch.Add(c.now) }
