// Package address looks into the address of a database, and adds to it.
package address

import (
	"net"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Has reports whether the URL or the environment sets a parameter.
func Has(url, key, variable string) bool {
	return strings.Contains(url, key+"=") || variable != "" && os.Getenv(variable) != ""
}

// With adds a parameter to a URL, or to keywords and values.
func With(url, parameter string) string {
	switch {
	case !strings.Contains(url, "://"):
		return url + " " + parameter
	case strings.Contains(url, "?"):
		return url + "&" + parameter
	}
	return url + "?" + parameter
}

// Local reports whether all hosts are this machine, to which no network leads.
func Local(cfg *pgxpool.Config) bool {
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
