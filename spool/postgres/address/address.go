// Package address reads the address of a database, and shows no password of it.
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
	for name := range cfg.ConnConfig.RuntimeParams { // the server would repeat it, and it may be part of a password
		if strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_.") != "" {
			return nil, errors.New("a keyword is not made of letters" + asURL)
		}
	}
	return cfg, nil
}

const asURL = "; write it as postgres://USER@HOST/NAME, with the password in database_password_file"

// mistake is what is wrong with an address, without the address: the driver finds no password for
// certain in what it cannot read.
func mistake(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	if strings.HasPrefix(text, "failed to parse as") { // and then words of it
		text, _, _ = strings.Cut(text, " (")
		text += asURL
	}
	return text
}

// Has reports whether the URL or the environment sets a parameter.
func Has(url, key, variable string) bool {
	return strings.Contains(url, key+"=") || variable != "" && os.Getenv(variable) != ""
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

// local reports whether all hosts are this machine, to which no network leads.
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

// Hide hides the password in the text of an error, which may be the server's.
func Hide(err error, password string) error {
	if err == nil || password == "" {
		return err
	}
	return hidden{err, password}
}

// hidden is an error, of the server perhaps, without the password.
type hidden struct {
	error
	password string
}

func (e hidden) Error() string {
	return strings.ReplaceAll(e.error.Error(), e.password, "***")
}

func (e hidden) Unwrap() error { return e.error }
