// Package maildirtest is the spool of tests: package maildir on a disk in memory. What
// works on it obeys the rules of the product's spool, and of no other.
//
// Three things can happen to a spool that no method of spool.Store shows. Reopen
// is a second process on the same spool, Crash kills the process of one handle,
// PowerCut stops the machine, which may lose what was not synced by then.
package maildirtest

import (
	"math/rand/v2"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/internal/simfs"
	"notices/spool/maildir"
)

// Spool is one handle on a spool in memory: what one process has open.
type Spool struct {
	*maildir.Store
	disk    *simfs.Disk
	process *simfs.Process
	dice    *rand.Rand
	now     func() time.Time
}

// New returns a handle on a new, empty spool.
func New() *Spool { return NewAt(time.Now) }

// NewAt is New with a clock.
func NewAt(now func() time.Time) *Spool {
	return open(simfs.New(), rand.New(rand.NewPCG(1, 2)), now)
}

// State returns the values of a new spool, for what needs no messages.
func State() spool.State { return New().State() }

func open(disk *simfs.Disk, dice *rand.Rand, now func() time.Time) *Spool {
	process := disk.Open(nil)
	store, err := maildir.Open("/spool", maildir.Options{FS: process, Now: now})
	if err != nil {
		panic(err) // no step of this disk fails
	}
	return &Spool{store, disk, process, dice, now}
}

// Reopen returns another handle on the same spool, as another process has one.
func (s *Spool) Reopen() *Spool { return open(s.disk, s.dice, s.now) }

// Crash kills the process of this handle: its claims are free, every later call that
// would change the spool fails. What it wrote stays: the system keeps it. A fresh
// handle is returned.
func (s *Spool) Crash() *Spool {
	s.disk.Kill(s.process)
	return s.Reopen()
}

// PowerCut stops the machine. Of what was not synced the dice say what is lost; they
// fall alike in every test. A fresh handle is returned; the others show a disk that is
// no more.
func (s *Spool) PowerCut() *Spool { return open(s.disk.PowerCut(s.dice), s.dice, s.now) }

// Damage makes the record of a message that waits unreadable.
func (s *Spool) Damage(id spool.ID) {
	for _, name := range s.disk.Names("cur") {
		if strings.HasPrefix(name, "cur/."+string(id)+",") {
			s.disk.Write(name, []byte("damaged"))
		}
	}
}
