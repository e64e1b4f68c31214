//go:build peers

package postgres_test

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/flush"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
	"notices/spool/schedule"
)

// TestIdleFlush: a flush for which nothing is due reads one range of an index to see that. Beside 100,000
// deferred messages it makes as few statements as in an empty spool, but for a sign of life.
func TestIdleFlush(t *testing.T) {
	name := newDatabase(t)
	p := startProxy(t)
	s := openAt(t, p.URL(name))
	defer s.Close()
	idle := func() int {
		p.Plan(cluster.Cut{})
		policy := schedule.Policy{LongDelay: [2]time.Duration{time.Hour, 2 * time.Hour}, GiveUp: 100 * time.Hour}
		tally, err := flush.Run(t.Context(), flush.Options{Store: s, Deliverer: sink{}, Policy: policy})
		if err != nil || tally.Sent+tally.Deferred != 0 {
			t.Fatalf("%+v, %v", tally, err)
		}
		return p.Count()
	}
	idle() // it is the first of the day, which forgets what is old
	alone := idle()
	sql(t, name, `insert into notices.message (id, state, next, stored, body)
		select 'M' || n, 'q', extract(epoch from now())::bigint + 1800 + n % 1800, 4096, n from generate_series(1, 100000) as n;
		analyze notices.message`)
	if got := idle(); got > alone+2 {
		t.Errorf("%d statements, and %d without messages", got, alone)
	}
	query := strings.NewReplacer("$1", "extract(epoch from now())::bigint", "$2", "-9223372036854775808", "$3", "''", "$4", "5000").Replace(postgres.DueSQL)
	plan := sql(t, name, `explain (analyze, buffers, timing off) `+query)
	if !strings.Contains(plan, "message_due") || !strings.Contains(plan, "Index Cond: ((next <=") || strings.Contains(plan, "Seq Scan") {
		t.Errorf("not by the index alone:\n%s", plan)
	}
}

// disconnected waits until the server has ended the connections of stores that are closed: then it counts
// what they did.
func disconnected(t *testing.T, name string) {
	t.Helper()
	for sql(t, name, `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'notices'`) != "0" {
		runtime.Gosched()
	}
}

// TestUpdatesInPlace: of the rows that are updated while a message is sent, most are written into
// the free room of their page, which leaves the indexes alone and needs no vacuum (HOT).
func TestUpdatesInPlace(t *testing.T) {
	name := newDatabase(t)
	s := open(t, name)
	const n = 2000
	fill(t, s, n)
	flushAll(t, s, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	disconnected(t, name)
	const counts = `select n_tup_upd >= 2 * 2000, n_tup_hot_upd > n_tup_upd * 0.8, n_tup_hot_upd || ' of ' || n_tup_upd from pg_stat_user_tables where relname = `
	if got := sql(t, name, counts+`'message'`); !strings.HasPrefix(got, "t|t|") {
		t.Errorf("messages: %s updates in place", got)
	}
	if got := sql(t, name, `select sum(n_tup_upd) from pg_stat_user_tables where relname in ('content', 'chunk', 'history')`); got != "0" {
		t.Errorf("%s updates of wide rows", got)
	}
}

// TestLargeInLittleMemory: 50 MiB are written and read with less than 20 MiB of heap.
func TestLargeInLittleMemory(t *testing.T) {
	name := newDatabase(t)
	s := open(t, name)
	defer s.Close()
	const size, most = 50 << 20, 20 << 20
	piece := []byte(strings.Repeat("Please bring it back.\r\n", 1<<20/23+1))[:1<<20]
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, uint64(0)
	look := func() {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc-min(before, m.HeapAlloc))
	}
	d, err := s.New(t.Context(), "large")
	for i := 0; i < size/len(piece) && err == nil; i++ {
		_, err = d.Write(piece)
		look()
	}
	if err == nil {
		err = d.Seal(spool.Envelope{ID: "large", Sender: "desk@example.org", Recipients: []string{"ann@example.net"}, QueuedAt: at(0)})
	}
	if err == nil {
		_, err = s.Commit(t.Context(), d)
	}
	if err != nil {
		t.Fatal(err)
	}
	look()
	e, err := spool.FindOne(t.Context(), s, "large")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Claim(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	r, n := io.NewSectionReader(c.Body(), 0, c.Body().Size()), 0
	for buf := make([]byte, 64<<10); err == nil; {
		var k int
		k, err = r.Read(buf)
		n += k
		look()
	}
	if err != io.EOF || n != size {
		t.Errorf("read %d octets, %v", n, err)
	}
	if peak > most {
		t.Errorf("%d MiB of heap", peak>>20)
	}
	t.Logf("%.1f MiB of heap", float64(peak)/(1<<20))
}
