//go:build peers

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"notices/spool/smtptest"
)

// TestMachinesSetUp follows notices-machines(7) from an empty server to a sent message, with the lines of the
// page. The server is in one network namespace and the machine in another, which knows it as
// db.example.org. Each step that is left out is named by the error.
func TestMachinesSetUp(t *testing.T) {
	if !inHub(t) {
		return
	}
	h := bareHub(t)
	if err := errors.Join(h.server.Configure("port = 5432\n"), h.server.Restart()); err != nil {
		t.Fatal(err)
	}
	h.server.Port = 5432
	s := newMachine(t, h)

	s.shell(s.page("createuser -P notices"), "secret\nsecret\n")
	s.refused(75, "db.example.org:5432: connection refused", "listen_addresses")
	s.shell(s.page("openssl req"), "")
	settings := s.page("listen_addresses = '*'")
	first, rest, _ := strings.Cut(settings, "\n")
	s.configure(first)
	s.refused(75, "the server has no TLS", "ssl = on", "notices-machines(7)")
	s.configure(rest)
	s.refused(75, "certificate", "sslrootcert")
	s.trust(true)
	s.refused(78, "pg_hba.conf", "notices-machines(7)")
	s.admit(strings.Replace(s.page("hostssl notices notices"), "192.0.2.0/24", "10.0.0.0/8", 1))

	// Without sslmode, the server must have a certificate that the machine trusts, and of that name.
	s.trust(false)
	s.refused(75, "certificate", "sslrootcert")
	s.trust(true)
	s.config("@db.example.org/", "@"+s.place.address+"/")
	s.refused(75, s.place.address, "sslrootcert")
	s.config("@db.example.org/notices", "@db.example.org/notices?sslmode=disable")
	s.refused(78, "pg_hba.conf")
	s.write("database.password", "another\n")
	s.config("", "")
	s.refused(78, "wrong password for user notices", "database_password_file")

	s.write("database.password", "secret\n")
	s.sends("by an authority that the system trusts")
	s.trust(false)
	s.config(`database = "postgres://notices@db.example.org/notices"`, s.page("?sslrootcert=/etc/notices/"))
	s.sends("by the one that the address names")
}

// machine is one that is being set up.
type machine struct {
	*fleet
	hub   *hub
	place place
}

func newMachine(t *testing.T, h *hub) *machine {
	t.Helper()
	s := &machine{fleet: &fleet{t: t, dir: t.TempDir(), server: h.server, hosts: map[string]place{}}, hub: h, place: h.join(t)}
	s.smtp = smtptest.New(t, smtptest.Options{Address: "0.0.0.0"})
	// The machine has names of its own.
	s.write("hosts", "127.0.0.1 localhost\n"+s.place.address+" db.example.org\n")
	s.place.inside = append(s.place.inside, "unshare", "--mount", "--", "sh", "-c", `mount --bind hosts /etc/hosts && exec "$@"`, "sh")
	s.write("database.password", "secret\n")
	s.config("", "")
	s.trust(false)
	return s
}

// page returns the lines of the page, a literal block of it, that have a text in it. What stands in
// /etc stands in the folders of the test.
func (s *machine) page(with string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "man", "notices-machines.7"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, block := range strings.Split(string(text), "\n.Bd -literal -offset indent\n") {
		block, _, _ = strings.Cut(block, "\n.Ed\n")
		if strings.Contains(block, with) {
			return strings.NewReplacer(`\e`, `\`, "/etc/postgresql", s.server.Dir, "/etc/notices", s.dir).Replace(block)
		}
	}
	s.t.Fatalf("the page has no %q", with)
	return ""
}

// shell runs lines of the page on the database's machine, as root.
func (s *machine) shell(lines, input string) {
	s.t.Helper()
	lines = strings.NewReplacer("$ sudo -u postgres ", "sudo_postgres ", "$ ", "").Replace(lines)
	cmd := exec.Command("sh", "-ec", `sudo_postgres() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
`+lines)
	cmd.Env = append(os.Environ(), "PGHOST="+s.server.Dir, "PGPORT=5432", "HOME="+s.server.Dir)
	cmd.Dir, cmd.Stdin = s.server.Dir, strings.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal, the password is read from standard input
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", lines, err, out)
	}
}

// configure adds lines of the page to postgresql.conf.
func (s *machine) configure(lines string) {
	s.t.Helper()
	if err := errors.Join(s.server.Configure(lines+"\n"), s.server.Restart()); err != nil {
		s.t.Fatal(err)
	}
}

// admit adds a line of the page to the end of pg_hba.conf.
func (s *machine) admit(line string) {
	s.t.Helper()
	f, err := os.OpenFile(filepath.Join(s.server.Dir, "data", "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(line + "\n")
		err = errors.Join(err, f.Close(), s.server.Restart())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// trust says whether the machine's system trusts the certificate of the server. Its copy is there in any case.
func (s *machine) trust(system bool) {
	s.t.Helper()
	s.place.env = []string{"SSL_CERT_FILE=/dev/null", "SSL_CERT_DIR=/dev/null"}
	if system {
		s.place.env[0] = "SSL_CERT_FILE=" + filepath.Join(s.dir, "db-ca.pem")
	}
	if cert, err := os.ReadFile(filepath.Join(s.server.Dir, "db.example.org.crt")); err == nil {
		s.write("db-ca.pem", string(cert))
	}
	s.hosts["desk"] = s.place
}

// config writes the machine's config, with the lines of the page, one of them changed.
func (s *machine) config(before, after string) {
	s.t.Helper()
	spool := strings.Replace(s.page("database_password_file ="), before, after, 1)
	s.write("desk.toml", fmt.Sprintf("[site]\naddress = \"library@example.org\"\n[[server]]\nhost = %q\nport = %d\nallow_non_secure = true\n%s\n", s.place.address, s.smtp.Port(), spool))
}

// refused checks that notices check ends with that code and one line with these words.
func (s *machine) refused(code int, words ...string) {
	s.t.Helper()
	r := s.start("desk", "check")
	r.ends(code, words...)
}

// sends runs the three commands of the page.
func (s *machine) sends(what string) {
	s.t.Helper()
	before := s.taken()
	s.write("overdue.eml", "Subject: Overdue\n\nPlease bring it back.\n")
	for line := range strings.Lines(s.page("notices check")) {
		argv := strings.Fields(strings.TrimPrefix(line, "$ sudo -u notices notices "))
		input := ""
		if n := len(argv); n > 2 && argv[n-2] == "<" {
			argv, input = argv[:n-2], "Subject: Overdue\n\nPlease bring it back.\n"
		}
		if out := s.runWith("desk", input, argv...); argv[0] == "check" && !strings.Contains(out, "database notices, user notices; all that is needed may be read and written") {
			s.t.Errorf("%s: check: %s", what, out)
		}
	}
	if n := s.taken() - before; n != 1 {
		s.t.Errorf("%s: %d messages were sent", what, n)
	}
}
