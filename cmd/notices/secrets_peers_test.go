//go:build peers

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"notices/spool/smtptest"
)

// TestDatabasePassword: the password comes from the config, a file, a command or a credential of systemd.
// With a wrong one commands end with 78, and do not show it.
func TestDatabasePassword(t *testing.T) {
	f := newFleet(t)
	f.sql(`create role clerk login password 'Geh#eim'; grant usage on schema notices to clerk;
		grant select, insert, update, delete on all tables in schema notices to clerk`)
	if err := f.server.Admit("host all clerk 127.0.0.1/32 scram-sha-256"); err != nil {
		t.Fatal(err)
	}
	f.rewrite("desk", "postgres://postgres@", "postgres://clerk@")
	text, err := os.ReadFile(filepath.Join(f.dir, "desk.toml"))
	if err != nil {
		t.Fatal(err)
	}
	f.write("right", "Geh#eim\n")
	f.write("wrong", "Geh#eimer\n")
	f.write("database.password", "Geh#eim\n")
	at := f.hosts["desk"]
	credentials := at
	credentials.env = []string{"CREDENTIALS_DIRECTORY=" + f.dir}
	for key, want := range map[string]int{
		`database_password = "Geh#eim"`:           0,
		`database_password_file = "right"`:        0,
		`database_password_command = "cat right"`: 0,
		``:                                 78,
		`# a credential`:                   0,
		`database_password_file = "wrong"`: 78,
		`database_password = "Geh#eimer"`:  78,
	} {
		f.write("desk.toml", string(text)+key+"\n")
		f.hosts["desk"] = at
		if strings.HasPrefix(key, "#") {
			f.hosts["desk"] = credentials
		}
		for _, argv := range []string{"list", "enqueue patron0@example.net", "flush --max 1"} {
			r := f.startWith("desk", "Subject: Overdue\n\nPlease bring it back.\n", strings.Fields(argv)...)
			r.ends(want)
			if strings.Contains(r.said.String(), "Geh#eim") {
				t.Errorf("%s: %s: a password is shown: %s", key, argv, r.said)
			}
			if want != 0 && argv != "flush --max 1" && !strings.Contains(r.said.String(), "database_password") {
				t.Errorf("%s: %s: %s", key, argv, r.said)
			}
		}
	}
}

// TestDatabaseTLS: require takes any certificate, verify-ca one of a trusted authority, and verify-full
// only one that is also for the name in the address.
func TestDatabaseTLS(t *testing.T) {
	f := newFleet(t)
	ca := smtptest.NewCA(t)
	f.write("ca.pem", string(ca.PEM()))
	f.write("other.pem", string(smtptest.NewCA(t).PEM()))
	useTLS(t, f, ca.TLS(t, "127.0.0.1"))
	text, err := os.ReadFile(filepath.Join(f.dir, "desk.toml"))
	if err != nil {
		t.Fatal(err)
	}
	try := func(mode string, want int, words ...string) {
		t.Helper()
		f.write("desk.toml", strings.Replace(string(text), "sslmode=disable", mode, 1))
		r := f.start("desk", "list")
		r.ends(want, words...)
		if want != 0 {
			r.oneLine()
		}
	}
	const trusted, untrusted = "&sslrootcert=ca.pem", "&sslrootcert=other.pem"
	try("sslmode=require", 0)
	try("sslmode=verify-full"+trusted, 0)
	try("sslmode=verify-ca"+trusted, 0)
	try("sslmode=verify-full", 75, "sslrootcert")
	try("sslmode=verify-full"+untrusted, 75, "sslrootcert")
	try("sslmode=verify-full&sslrootcert=none.pem", 78, "none.pem")
	useTLS(t, f, ca.TLS(t, "db.example.org"))
	try("sslmode=require", 0)
	try("sslmode=verify-ca"+trusted, 0)
	try("sslmode=verify-full"+trusted, 75, "127.0.0.1", "sslrootcert")
}

// TestDatabaseSetUp: a right or a table that is missing is a mistake in the set-up: every command that
// needs it ends with 78 and says what to do, flush too. When that is done, the mail is sent.
func TestDatabaseSetUp(t *testing.T) {
	f := newFleet(t)
	f.sql(`create role clerk login; grant usage on schema notices to clerk; grant select, insert, update on all tables in schema notices to clerk`)
	f.rewrite("desk", "postgres://postgres@", "postgres://clerk@")
	refused := func(advice string, commands ...string) {
		t.Helper()
		for _, argv := range commands {
			r := f.startWith("desk", "Subject: Overdue\n\nPlease bring it back.\n", strings.Fields(argv)...)
			r.ends(78, advice)
			r.oneLine()
		}
	}
	refused("grant select, insert, update, delete on all tables", "flush")
	f.sql(`grant delete on all tables in schema notices to clerk; alter table notices.content rename to lost`)
	refused("restore it from a backup", "flush", "enqueue patron0@example.net")
	f.sql(`alter table notices.lost rename to content`)
	f.run("desk", "flush", "--all")
	f.done(0)
}

// TestEachTable: check and flush name what is missing, whichever table or right it is, before anything is sent.
func TestEachTable(t *testing.T) {
	f := startFleet(t, startDatabases(t), 0, map[string]place{"desk": {address: "127.0.0.1"}, "office": {address: "127.0.0.1"}})
	f.rewrite("desk", "postgres://postgres@", "postgres://clerk@")
	f.runWith("office", "Subject: Overdue\n\nPlease bring it back.\n", "enqueue", "patron0@example.net")
	f.sql(`create role clerk login; grant usage on schema notices to clerk; grant select, insert, update, delete on all tables in schema notices to clerk`)
	refused := func(what string, words ...string) {
		t.Helper()
		for _, command := range []string{"check", "flush"} {
			r := f.start("desk", command)
			if err := ignoreExit(r.cmd.Wait()); err != nil {
				t.Error(err)
			}
			if r.ended(78); command == "flush" && r.said.Len() == 0 {
				continue // it was said before
			}
			for _, w := range words {
				if !strings.Contains(r.said.String(), w) {
					t.Errorf("%s: %s did not say %q: %s", what, command, w, r.said)
				}
			}
		}
	}
	tables := strings.Fields(f.sql(`select tablename from pg_tables where schemaname = 'notices' and tablename <> 'schema_version' order by 1`))
	for _, table := range tables {
		f.sql(`alter table notices.` + table + ` rename to lost`)
		refused(table+" is lost", "notices."+table, "restore it from a backup")
		f.sql(`alter table notices.lost rename to ` + table)
		for _, right := range []string{"select", "insert", "update", "delete"} {
			f.sql(`revoke ` + right + ` on notices.` + table + ` from clerk`)
			refused(right+" on "+table, table, "its owner has to")
			f.sql(`grant ` + right + ` on notices.` + table + ` to clerk`)
		}
	}
	if n := f.taken(); n > 0 || len(tables) < 10 {
		t.Errorf("%d messages were sent; %d tables", n, len(tables))
	}
	f.run("desk", "flush")
	if n := f.taken(); n != 1 {
		t.Errorf("in the end %d messages were sent", n)
	}
}

func useTLS(t *testing.T, f *fleet, c *tls.Config) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificates[0].Certificate[0]})
	if err := f.server.UseTLS(cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})); err != nil {
		t.Fatal(err)
	}
}
