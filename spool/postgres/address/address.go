// Package address reads the address of a database. No error shows its password.
package address

import (
	"errors"
	"net"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Parse reads postgres://..., or keyword=value as libpq has it. TLS is verified unless the address
// says otherwise, or all its hosts are this machine. An error repeats nothing of the address.
func Parse(url string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err == nil && !Has(url, "sslmode", "PGSSLMODE") && !local(cfg) {
		cfg, err = pgxpool.ParseConfig(with(url, "sslmode=verify-full"))
	}
	if err != nil {
		return nil, errors.New(mistake(err))
	}
	for name := range cfg.ConnConfig.RuntimeParams { // an error of the server would show it, and it may be part of a password
		if strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_.") != "" {
			return nil, errors.New("a keyword is not made of letters" + asURL)
		}
	}
	return cfg, nil
}

const asURL = "; write it as postgres://USER@HOST/NAME, with the password in database_password_file"

// mistake is what is wrong with an address, without the address: in one that it cannot read, the
// driver cannot tell for certain what is the password.
func mistake(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	if strings.Contains(text, "sslmode is invalid") {
		text = "sslmode must be disable, allow, prefer, require, verify-ca or verify-full"
	}
	if strings.HasPrefix(text, "failed to parse as") { // in brackets follow words of the address
		text, _, _ = strings.Cut(text, " (")
		text += asURL
	}
	return text
}

// Has reports whether the address or the environment sets a parameter. A password that stands
// before the ? of a URL sets none.
func Has(url, key, variable string) bool {
	text := strings.ReplaceAll(url, " ", "") // libpq allows blanks around the =
	if strings.Contains(url, "://") {
		_, text, _ = strings.Cut(url, "?")
	}
	return strings.Contains(text, key+"=") || variable != "" && os.Getenv(variable) != ""
}

// with adds a parameter to a URL, or to keywords and values.
func with(url, parameter string) string {
	switch {
	case !strings.Contains(url, "://"):
		return url + " " + parameter
	case strings.Contains(url, "?"):
		return url + "&" + parameter
	}
	return url + "?" + parameter
}

// local reports whether all hosts are this machine: no network is in between.
func local(cfg *pgxpool.Config) bool {
	hosts := []string{cfg.ConnConfig.Host}
	for _, f := range cfg.ConnConfig.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, h := range hosts {
		ip := net.ParseIP(h)
		if !strings.HasPrefix(h, "/") && !strings.HasPrefix(h, "@") && h != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// Hide replaces the password in the text of an error: the server's own texts may show it.
func Hide(err error, password string) error {
	if err == nil || password == "" {
		return err
	}
	return hidden{err, password}
}

// hidden is an error whose text does not show the password.
type hidden struct {
	error
	password string
}

func (e hidden) Error() string {
	return strings.ReplaceAll(e.error.Error(), e.password, "***")
}

func (e hidden) Unwrap() error { return e.error }
