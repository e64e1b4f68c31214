//go:build peers

package postgres_test

import (
	"testing"

	"notices/spool"
	"notices/spool/postgres"
	"notices/spool/storetest"
)

// TestBehindPgBouncer: in transaction mode each statement may meet another connection, and
// there are fewer of them than handles.
func TestBehindPgBouncer(t *testing.T) {
	pooler, err := server.StartPooler(3)
	if err != nil {
		t.Fatal(err)
	}
	defer pooler.Stop()
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		name := newDatabase(t)
		reopen := func() spool.Store {
			s, err := postgres.Open(t.Context(), postgres.Options{URL: pooler.URL(name), Host: "pooled"})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		return storetest.Harness{Store: reopen(), Reopen: reopen}
	})
}
