package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"notices/config/spelling"
)

// Every key has its place in a struct and every field a key that fills it: the
// tables of keys.go and the structs of config.go cannot drift apart.
func TestKeysAndFields(t *testing.T) {
	var want []string
	for section, v := range map[string]any{
		"site": Site{}, "delivery": Delivery{}, "server": Server{}, "limit": Limit{}, "retry": Retry{}, "spool": Spool{}, "log": Log{},
		"google": Account{}, "microsoft": Account{}, "bounces": Bounces{}, "service": Service{}, "serve": Serve{}, "dkim": DKIM{},
	} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			switch section + f.Name {
			case "serverName", "serverFromPreset", "googleTenant", "spoolBuffer": // no keys
			case "serviceKey":
				want = append(want, "service.key_file")
			default:
				want = append(want, section+"."+snake(f.Name))
			}
		}
	}
	for _, section := range []string{"server", "bounces"} { // these fill Password too
		want = append(want, section+".password_file", section+".password_command", section+".token_command")
	}
	want = append(want, "spool.database_password_file", "spool.database_password_command")
	got := Keys()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("keys   %v\nfields %v", got, want)
	}
}

// snake is max_message_size for MaxMessageSize, tls for TLS and ca_file for CAFile.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		lowerNext := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		lowerBefore := i > 0 && unicode.IsLower(runes[i-1])
		if i > 0 && unicode.IsUpper(r) && (lowerNext || lowerBefore) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// Every key is read: a wrong type is noticed at each of them.
func TestEveryKeyRefusesATable(t *testing.T) {
	for _, key := range Keys() {
		section, name, _ := strings.Cut(key, ".")
		header := "[" + section + "]\n"
		if section == "limit" {
			header = oneServer + "[[limit]]\n"
		}
		if section == "server" {
			header = "[[server]]\nhost = \"mail.example.org\"\n"
			if name == "host" {
				header = "[[server]]\n"
			}
		}
		_, err := Load(write(t, header+name+" = {a = 1}\n", 0o600))
		if err == nil || !strings.Contains(err.Error(), " "+name+" must ") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestNearest(t *testing.T) {
	server := namesOf(serverKeys[:])()
	for name, want := range map[string]string{
		"hots":              "host", // swapped
		"hst":               "host", // lost
		"hosst":             "host", // doubled
		"HOST":              "host",
		"pasword":           "password",
		"passwordfile":      "password_file",
		"password-command":  "password_command",
		"allow_nonsecure":   "allow_non_secure",
		"rate_per_hour":     "rate_per_day",
		"conections":        "connections",
		"username":          "",
		"x":                 "",
		"":                  "",
		"messages_per_conn": "messages_per_connection",
		"ca":                "",
	} {
		if got := spelling.Nearest(name, server); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
