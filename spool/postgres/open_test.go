package postgres

import (
	"fmt"
	"strings"
	"testing"
)

// TestPoolConfig: TLS is verified unless the host is this machine, nothing is prepared on the
// server, and the address can say otherwise.
func TestPoolConfig(t *testing.T) {
	for _, name := range []string{"PGSSLMODE", "PGCONNECT_TIMEOUT", "PGHOST", "PGAPPNAME", "PGSERVICE"} {
		t.Setenv(name, "")
	}
	for url, want := range map[string]string{
		"postgres://n@db.example.org/n":                       "verified exec 4",
		"postgres://n@db1.example.org,db2.example.org:5433/n": "verified exec 4",
		"postgres://n@localhost,db.example.org/n":             "verified exec 4",
		"postgres://n@127.0.0.1/n":                            "prefer exec 4",
		"postgres://n@[::1]:5432/n":                           "prefer exec 4",
		"postgres:///n?host=/run/postgresql":                  "plain exec 4",
		"host=/run/postgresql dbname=n":                       "plain exec 4",
		"host=db.example.org user=n":                          "verified exec 4",
		"postgres://n@db.example.org/n?sslmode=disable":       "plain exec 4",
		"postgres://n@db.example.org/n?sslmode=require":       "unverified exec 4",
		"postgres://n@db.example.org/n?pool_max_conns=9":      "verified exec 9",
		"postgres://n:sslmode=@db.example.org/n":              "verified exec 4",
		"host=db.example.org sslmode = disable":               "plain exec 4",
		"host=::1 default_query_exec_mode=cache_statement":    "prefer cache statement 4",
	} {
		cfg, err := poolConfig(Options{URL: url})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := "plain"
		switch c := cfg.ConnConfig; {
		case c.TLSConfig == nil:
		case c.TLSConfig.InsecureSkipVerify && len(c.Fallbacks) > 0:
			got = "prefer"
		case c.TLSConfig.InsecureSkipVerify:
			got = "unverified"
		case c.TLSConfig.ServerName != "":
			got = "verified"
		}
		got = fmt.Sprintf("%s %s %d", got, cfg.ConnConfig.DefaultQueryExecMode, cfg.MaxConns)
		if got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// TestSSLModeMistake: the message names the values that there are.
func TestSSLModeMistake(t *testing.T) {
	for _, url := range []string{"postgres://n:hidden@x/n?sslmode=verify-fll", "host=x password=hidden sslmode=none"} {
		if _, err := poolConfig(Options{URL: url}); err == nil || !strings.Contains(err.Error(), "sslmode must be disable, allow, prefer, require, verify-ca or verify-full") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestPoolConfigMistakes: no password is shown.
func TestPoolConfigMistakes(t *testing.T) {
	for _, url := range []string{"postgres://n:hidden@db.example.org:port/n", "host=x password=hidden sslmode=none", "postgres://n:hidden@x/n?pool_max_conns=no",
		"password = hidden host", "user=n password=two hidden host=x", "password=two hidden", "n:hidden@x/n?sslmode=none", "postgres://n:hid/hidden@x/n", "host=x password = 'hidden"} {
		if _, err := poolConfig(Options{URL: url}); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
