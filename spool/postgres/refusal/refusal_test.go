package refusal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"notices/spool/postgres/refusal"
)

// TestOf: each host is named once, with its port and what happened there. The names of the hosts say
// what happens at them.
func TestOf(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://n:hidden@refused/n":                   "refused:5432: connection refused | check that PostgreSQL runs",
		"postgres://n:hidden@refused:5433,silent/n":       "refused:5433: connection refused; silent:5432: no answer | check that PostgreSQL runs",
		"postgres://n:hidden@silent/n":                    "silent:5432: no answer | check the host and port",
		"postgres://n:hidden@unknown,refused/n":           "unknown: the name does not resolve; refused:5432: connection refused | check the host",
		"postgres://n:hidden@unknown/n":                   "unknown: the name does not resolve | check the host",
		"postgres://n:hidden@plain/n?sslmode=require":     "plain:5432: the server has no TLS | set ssl = on",
		"postgres://n:hidden@plain/n?sslmode=prefer":      "plain:5432: wrong password for user n | ",
		"postgres://n@plain/n?sslmode=prefer":             "plain:5432: no password is set for user n | set database_password_file in [spool]",
		"postgres://n:hidden@parameter/n?bogus=1":         `parameter:5432: unrecognized configuration parameter "bogus" | correct the parameters`,
		"postgres://n:hidden@refused,parameter/n?bogus=1": `refused:5432: connection refused; parameter:5432: unrecognized configuration parameter "bogus" | correct the parameters`,
		"postgres://n:hidden@hba/n?sslmode=disable":       `hba:5432: no pg_hba.conf entry for host "h", user "n" | add a line for it`,
		"postgres://n:hidden@starts/n?sslmode=disable":    "starts:5432: the database system is starting up (SQLSTATE 57P03) | ",
		"host=/no/socket user=n dbname=n password=hidden": "/no/socket/.s.PGSQL.5432: no such socket | check that PostgreSQL runs",
		"postgres://n:hidden@odd:5432/n?sslmode=disable":  "odd:5432: dial error: odd thing | ",
		"postgres://n:hidden@refused,refused:5432/n":      "refused:5432: connection refused | check that PostgreSQL runs",
	} {
		cfg, err := pgconn.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) {
			if host == "unknown" {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
			return []string{host}, nil
		}
		cfg.DialFunc = dial
		_, err = pgconn.ConnectConfig(t.Context(), cfg)
		r := refusal.Of(fmt.Errorf("wrapped: %w", err))
		if r == nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got := r.Text + " | " + r.Advice; !strings.HasPrefix(got, want) || strings.HasSuffix(want, "| ") && got != want || strings.Contains(got, "hidden") {
			t.Errorf("%s:\n%s, want\n%s", url, got, want)
		}
		if r.Wrong != strings.Contains(url, "bogus") {
			t.Errorf("%s: wrong %t", url, r.Wrong)
		}
	}
	if r := refusal.Of(errors.New("another")); r != nil {
		t.Errorf("%+v", r)
	}
}

// dial is the network.
func dial(_ context.Context, network, addr string) (net.Conn, error) {
	host, _, _ := strings.Cut(addr, ":")
	errs := map[string]error{"refused": os.NewSyscallError("connect", syscall.ECONNREFUSED), "silent": context.DeadlineExceeded, "odd": errors.New("odd\nthing")}
	if network == "unix" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ENOENT)}
	}
	if err := errs[host]; err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	go answer(theirs, map[string]*pgproto3.ErrorResponse{
		"plain":     {Severity: "FATAL", Code: "28P01", Message: `password authentication failed for user "n"`},
		"hba":       {Severity: "FATAL", Code: "28000", Message: `no pg_hba.conf entry for host "h", user "n"`},
		"parameter": {Severity: "FATAL", Code: "42704", Message: `unrecognized configuration parameter "bogus"`},
		"starts":    {Severity: "FATAL", Code: "57P03", Message: "the database system is starting up"},
	}[host])
	return ours, nil
}

// answer is a server without TLS that says one thing.
func answer(conn net.Conn, say *pgproto3.ErrorResponse) {
	defer conn.Close()
	b := pgproto3.NewBackend(conn, conn)
	first, err := b.ReceiveStartupMessage()
	if _, tls := first.(*pgproto3.SSLRequest); tls {
		_, _ = io.WriteString(conn, "N") // the client sees what is lost
		return
	}
	if err == nil {
		b.Send(say)
		_ = b.Flush()
	}
}
