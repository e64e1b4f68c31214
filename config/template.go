package config

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed template.toml
var template string

// Answers are what `notices init` knows when it writes a config. What is empty
// stays an example or commented out.
type Answers struct {
	Name         string
	Address      string
	Hostname     string
	Host         string
	Port         int
	Login        string
	PasswordFile string
	SpoolDir     string
}

// Template is a commented config with the answers filled in, which Load accepts if
// the answers are valid. It holds no secret, so others may read it.
func Template(a Answers) []byte {
	name, host, port := a.Name, a.Host, a.Port
	if name == "" {
		name = "Springfield Public Library"
	}
	if host == "" {
		host = "mail.example.org"
	}
	if port == 0 {
		port = 587
	}
	return []byte(strings.NewReplacer(
		"@name@", quote(name),
		"@address@", line("address", a.Address, "library@example.org"),
		"@hostname@", line("hostname", a.Hostname, "mail.example.org"),
		"@host@", quote(host),
		"@port@", strconv.Itoa(port),
		"@login@", quote(a.Login),
		"@password_file@", line("password_file", a.PasswordFile, "/etc/notices/server1.password"),
		"@dir@", line("dir", a.SpoolDir, systemSpool),
	).Replace(template))
}

// line sets a key, or shows an example of it.
func line(key, value, example string) string {
	if value == "" {
		return "# " + key + " = " + quote(example)
	}
	return key + " = " + quote(value)
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
