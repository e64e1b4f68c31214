package postgres

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"notices/spool"
	"notices/spool/postgres/address"
	"notices/spool/postgres/locks"
	"notices/spool/postgres/timedconn"
)

// Options say which database, and who asks.
type Options struct {
	// URL is postgres://..., or keyword=value as libpq has it. Several hosts are tried in order.
	URL string
	// Password, unless it is nil, is asked for each new connection, in place of what URL has.
	Password func(context.Context) (string, error)
	// Host is the name of this machine, by which a person finds it.
	Host string
	// NoHistory keeps no history.
	NoHistory bool
	// Patience limits three times: of connecting to a host, of the server's silence within a call,
	// and of trying a call again. 0: 5, 30 and 15 seconds.
	Patience time.Duration
	// Lease is how long claims last without a sign of life; 0: 45 seconds.
	Lease time.Duration
}

// Limits of connections.
const (
	defaultLease       = 45 * time.Second
	defaultConnections = 4
	connectTime        = 5 * time.Second
	// answerTime is how long the server may be silent within a call.
	answerTime = 30 * time.Second
)

// Store is a spool in a database. It implements spool.Store.
type Store struct {
	listings
	past
	db      *database
	shared  *sharer
	ahead   ahead
	session *session
	fence   atomic.Int64 // the token of the lock of imports while this store has it
	mine    sync.Map     // of values
	closed  atomic.Bool
}

// Open connects to the database, and makes its tables or brings them up to date where that
// is to be done. spool.ErrUnreachable, spool.ErrMisconfigured.
func Open(ctx context.Context, o Options) (*Store, error) {
	var password atomic.Value
	if ask := o.Password; ask != nil {
		o.Password = func(ctx context.Context) (string, error) {
			text, err := ask(ctx)
			password.Store(text)
			return text, err
		}
	}
	cfg, err := poolConfig(o)
	if err != nil {
		return nil, err
	}
	db := &database{lockLimit: locks.Limit(cmp.Or(o.Patience, answerTime)), retryFor: cmp.Or(o.Patience, retryFor)}
	if own := cfg.ConnConfig.RuntimeParams["lock_timeout"]; own != "" {
		db.lockLimit = own // the address has one
	}
	cfg.AfterConnect = db.connected
	if db.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), cfg); err != nil {
		return nil, explain(err)
	}
	if o.Lease == 0 {
		o.Lease = defaultLease
	}
	s := &Store{listings: listings{db}, past: past{db, o.NoHistory}, db: db, shared: &sharer{db: db}, session: &session{db: db, host: o.Host, lease: o.Lease}}
	if err := s.migrate(ctx); err != nil {
		db.pool.Close()
		asked, _ := password.Load().(string)
		return nil, address.Hide(err, cmp.Or(asked, cfg.ConnConfig.Password))
	}
	return s, nil
}

// poolConfig reads the URL. Nothing is prepared on the server, unless the URL says so by
// default_query_exec_mode.
func poolConfig(o Options) (*pgxpool.Config, error) {
	cfg, err := address.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: [spool] database cannot be understood: %w", spool.ErrMisconfigured, err)
	}
	c := cfg.ConnConfig
	if !address.Has(o.URL, "default_query_exec_mode", "") {
		c.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	if !address.Has(o.URL, "pool_max_conns", "") {
		cfg.MaxConns = defaultConnections
	}
	if !address.Has(o.URL, "connect_timeout", "PGCONNECT_TIMEOUT") {
		c.ConnectTimeout = connectTime
	}
	cfg.PingTimeout = connectTime // of idle connections, each of which may be cut off
	if o.Patience > 0 {
		c.ConnectTimeout = min(cmp.Or(c.ConnectTimeout, o.Patience), o.Patience)
	}
	dial := c.DialFunc
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &timedconn.Conn{Conn: conn, Patience: cmp.Or(o.Patience, answerTime)}, nil
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "notices"
	}
	if o.Password != nil {
		cfg.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) (err error) {
			c.Password, err = o.Password(ctx)
			if err != nil && ctx.Err() == nil { // the database was not even asked
				err = &noAnswer{fmt.Errorf("%w: %w", spool.ErrMisconfigured, err)}
			}
			return err
		}
	}
	return cfg, nil
}

// Close ends the session, and with it all claims, and makes durable what was done.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	err := s.session.end()
	if s.db.away.Load() != nil {
		go s.db.pool.Close() // it waits for connections that were cut off
	} else {
		s.db.pool.Close()
	}
	return err
}
