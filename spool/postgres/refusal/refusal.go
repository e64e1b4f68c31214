// Package refusal says in one line why no connection to the database could be made: the host and
// port, what happened there, and what to check. The driver's own error names each address and each way
// of connecting to it, with and without TLS: the same host up to four times.
package refusal

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// Refusal is why no connection was made.
type Refusal struct {
	Text   string // `db1:5432: connection refused; db2:5432: no answer`
	Advice string // what to check at the first host; it may be empty
	Wrong  bool   // a setting in the address is wrong: it helps nothing to try again
}

// cause is what happened at one host. Of the causes of a host, the one with the highest rank is shown:
// what the server answers to a connection without TLS says more than that it has no TLS.
type cause struct {
	host, text, advice string
	rank               int
	wrong              bool
}

// decides is the rank of a cause whose advice is shown, whichever host it comes from.
const decides = 3

// Of returns why no connection was made, or nil if err does not come from connecting.
func Of(err error) *Refusal {
	var failed *pgconn.ConnectError
	if !errors.As(err, &failed) {
		return nil
	}
	var hosts []cause
	for _, leaf := range leaves(failed.Unwrap()) {
		c := causeOf(leaf, failed.Config)
		at := slices.IndexFunc(hosts, func(o cause) bool { return o.host == c.host })
		switch {
		case at < 0:
			hosts = append(hosts, c)
		case c.rank > hosts[at].rank:
			hosts[at] = c
		}
	}
	r := &Refusal{}
	for i, c := range hosts {
		if i > 0 {
			r.Text += "; "
		}
		if i == 0 || c.rank == decides {
			r.Advice = c.advice
		}
		r.Wrong = r.Wrong || c.wrong
		if c.host != "" {
			r.Text += c.host + ": "
		}
		r.Text += strings.Join(strings.Fields(c.text), " ")
	}
	return r
}

// line is an error with another text.
type line struct {
	error
	text string
}

func (l line) Error() string { return l.text }

func (l line) Unwrap() error { return l.error }

// OneLine is err with a text of one line: that of the Refusal, if it is one. The driver never puts a
// password into it.
func OneLine(err error) error {
	if r := Of(err); r != nil {
		return line{err, r.Text}
	}
	return line{err, strings.Join(strings.Fields(err.Error()), " ")}
}

// leaves returns the errors of the single tries.
func leaves(err error) (list []error) {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "hostname resolving error: ") {
			return leaves(inner)
		}
		return []error{err}
	}
	for _, each := range many.Unwrap() {
		list = append(list, leaves(each)...)
	}
	return list
}

// cutAddress splits an error of the driver, "ADDRESS (HOST): ...": the address that it dialled, the host
// of the URL, and the rest.
func cutAddress(text string) (address, host, rest string, ok bool) {
	address, rest, ok = strings.Cut(text, " (")
	if ok {
		host, rest, ok = strings.Cut(rest, "): ")
	}
	return address, host, rest, ok && address != "" && !strings.ContainsAny(host, "()")
}

func causeOf(err error, cfg *pgconn.Config) cause {
	var name *net.DNSError
	if errors.As(err, &name) {
		c := cause{host: name.Name, text: "the name does not resolve", advice: "check the host in [spool] database, and this machine's DNS"}
		if name.IsTimeout || name.IsTemporary {
			c.text = "the DNS does not answer for this name"
		}
		return c
	}
	host, rest := "", err.Error()
	if address, name, text, ok := cutAddress(rest); ok {
		host, rest = address, text // a socket has a path
		if _, port, e := net.SplitHostPort(host); e == nil && !strings.HasPrefix(host, "/") {
			host = net.JoinHostPort(name, port)
		}
	}
	c := what(err, cfg)
	if c.host = host; c.text == "" {
		c.text = rest
	}
	return c
}

// what says what happened, without the host. If the text is empty, the text of err is to be shown.
func what(err error, cfg *pgconn.Config) cause {
	var answer *pgconn.PgError
	switch {
	case errors.As(err, &answer):
		return answered(answer, cfg)
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return cause{rank: 1, advice: "check sslrootcert in [spool] database, and the names in the server's certificate"}
	case strings.Contains(err.Error(), "server refused TLS connection"):
		return cause{text: "the server has no TLS", advice: "set ssl = on in its postgresql.conf, as notices-machines(7) shows, or see TLS there"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return cause{text: "connection refused", advice: "check that PostgreSQL runs, listen_addresses in its postgresql.conf, and the host and port in [spool] database"}
	case errors.Is(err, syscall.ENOENT):
		return cause{text: "no such socket", advice: "check that PostgreSQL runs, and the host in [spool] database"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return cause{text: "no answer", advice: "check the host and port in [spool] database, and the firewalls on the way"}
	}
	return otherKind(err)
}

// otherKind is for a server that is not of the kind that target_session_attrs asks for.
func otherKind(err error) cause {
	promote := cause{rank: decides, advice: "none of the hosts in [spool] database can be written: a standby has to be promoted"}
	toWrite := cause{rank: decides, wrong: true, advice: "a spool has to be written: set target_session_attrs=read-write in [spool] database"}
	switch {
	case errors.Is(err, pgconn.ErrReadOnlyConnection):
		promote.text = "it is read-only"
		return promote
	case errors.Is(err, pgconn.ErrStandbyConnection):
		promote.text = "it is a standby"
		return promote
	case errors.Is(err, pgconn.ErrReadWriteConnection), errors.Is(err, pgconn.ErrPrimaryConnection):
		toWrite.text = "it is not read-only, as target_session_attrs asks for"
		return toWrite
	}
	return cause{}
}

func answered(a *pgconn.PgError, cfg *pgconn.Config) cause {
	c := cause{rank: 2, text: a.Message + " (SQLSTATE " + a.Code + ")"}
	switch {
	case a.Code == invalidPassword && cfg.Password == "":
		c.text = "no password is set for user " + cfg.User
		c.advice = "set database_password_file in [spool] to a file that has it, and that only its owner can read"
	case a.Code == invalidPassword:
		c.text = "wrong password for user " + cfg.User
	case a.Code == noSuchParameter, a.Code == invalidValue, a.Code == notNow:
		c.text, c.rank, c.wrong = a.Message, decides, true
		c.advice = "correct the parameters behind the name of the database in [spool] database, and PGOPTIONS"
	case a.Code == invalidLogin && strings.Contains(a.Message, "pg_hba.conf"):
		c.text = a.Message
		c.advice = "add a line for it to the server's pg_hba.conf, as notices-machines(7) shows, and reload the server"
	}
	return c
}
