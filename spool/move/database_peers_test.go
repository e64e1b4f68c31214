//go:build peers

package move_test

import (
	"fmt"
	"testing"

	"notices/spool"
	"notices/spool/faulty"
	"notices/spool/internal/simfs"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
)

// TestIntoDatabase: the folder's queue moves into a database. The process dies at each call on
// it, before the call or behind it, or the call fails. Then messages leave the database, and
// the move is run again.
func TestIntoDatabase(t *testing.T) {
	server, err := cluster.Start("")
	must(t, err)
	t.Cleanup(func() { must(t, server.Stop()) })
	places := 0
	for _, plan := range []faulty.Plan{{Die: true}, {Die: true, Late: true}, {Err: spool.ErrUnreachable}, {Err: spool.ErrUnsure, Late: true}} {
		for plan.At = 1; ; plan.At++ {
			name, err := server.NewDatabase()
			must(t, err)
			open := func() *postgres.Store {
				s, err := postgres.Open(t.Context(), postgres.Options{URL: server.URL(name), Host: "test"})
				must(t, err)
				return s
			}
			disk := filled(t)
			process := disk.Open(func(simfs.Step) error { return nil })
			first := open()
			to := faulty.New(first, plan)
			_, _ = run(t.Context(), onDisk(t, process, true), to) // its error is the plan's
			disk.Kill(process)
			must(t, first.Close())
			places++

			what := fmt.Sprintf("%+v", plan)
			again, from := open(), onDisk(t, disk.Open(nil), true)
			left := map[spool.ID]int{}
			leaves(t, again, left)
			if _, err := run(t.Context(), from, again); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			checkMoved(t, what, from, again, left)
			must(t, again.Close())
			if t.Failed() || !to.Hit() {
				break
			}
		}
	}
	t.Logf("stopped at %d places", places)
}
