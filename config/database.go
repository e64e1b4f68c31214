package config

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// database reads the address of a database. It is kept like a secret, because it may have a
// password in it.
func database(v value, to *Secret) {
	s, ok := v.str()
	if !ok || s == "" {
		return
	}
	if !strings.HasPrefix(s, "postgres://") && !strings.HasPrefix(s, "postgresql://") && !strings.Contains(s, "=") {
		// It is not repeated: there may be a password in it.
		v.l.bad(v.at, `must be the address of a PostgreSQL database, like "postgres://notices@db.example.org/notices"`)
		return
	}
	to.src = v.l.newSource(inline, v.at, s)
	if hasPassword(s) {
		v.l.checkMode(v.at, inline)
	}
}

// hasPassword reports whether an address has a password in it.
func hasPassword(address string) bool {
	_, rest, isURL := strings.Cut(address, "://")
	user, _, found := strings.Cut(rest, "@")
	if isURL && found && strings.Contains(user, ":") {
		return true
	}
	if _, query, ok := strings.Cut(address, "?"); ok {
		values, err := url.ParseQuery(query)
		return err != nil || values.Has("password")
	}
	return !isURL && strings.Contains(strings.ReplaceAll(address, " ", ""), "password=")
}

// useDatabase checks what belongs to a database.
func (s *Spool) useDatabase(l *loader, at place) {
	s.Buffer = s.Dir != ""
	if s.DatabasePassword.IsSet() {
		if hasPassword(s.Database.src.text) {
			l.bad(s.DatabasePassword.src.at, "gives the password a second time, besides database: keep one of them")
		}
		return
	}
	const name = "database.password"
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			at.Key = "database_password"
			s.DatabasePassword.src = l.newSource(credential, at, name)
		}
	}
}
