package config

import (
	"strconv"
	"strings"
	"time"
)

// Config is a whole notices.toml. Relative paths in it are made absolute from the folder
// of the file, and "~/" from $HOME.
type Config struct {
	Path      string // the file, as it was given
	Site      Site
	Delivery  Delivery
	Servers   []Server // in the order in which they are tried
	Limits    []Limit  // no domain is in two of them
	Retry     Retry
	Spool     Spool
	Log       Log
	Google    Account
	Microsoft Account // it has a Tenant as well
	Bounces   Bounces
	Service   Service
	Serve     Serve
	DKIM      DKIM
	// Problems are all problems, in the order of the file, whatever the caller of LoadFor
	// needed. A bad value leaves the default in place.
	Problems Problems
}

// Site is who sends.
type Site struct {
	Name        string
	Address     string // default sender; may be empty: see Config.Missing
	Hostname    string // EHLO name; a name or an address literal like [192.0.2.1]; empty: the machine's full name
	RewriteFrom bool
	// Admin gets the mail for this machine's own users that no alias sends elsewhere, and
	// copies of what went to failed/; empty: nobody.
	Admin string
}

// Delivery is which way mail goes.
type Delivery struct {
	Via string // ViaServers, ViaGoogle, ViaMicrosoft, ViaService
}

// Values of Delivery.Via.
const (
	ViaServers   = "servers"   // through the site's own servers
	ViaGoogle    = "google"    // through Gmail, as the account that is signed in
	ViaMicrosoft = "microsoft" // through Microsoft 365, in the same way
	ViaService   = "service"   // through the Integrated Email Service of [service]
)

// Values of Server.TLS.
const (
	Implicit = "implicit" // TLS from the first octet (RFC 8314)
	StartTLS = "starttls"
)

// Values of Server.Auth: a password, or the tokens of [google] or [microsoft].
const (
	AuthPassword  = "password"
	AuthGoogle    = "google"
	AuthMicrosoft = "microsoft"
)

// Server is one mail server.
type Server struct {
	Name                string // "1", "2": what logs and commands call it
	Host                string // a name or an IP address
	Port                int
	TLS                 string // Implicit or StartTLS: "auto" is decided
	AllowNonSecure      bool
	AllowNonSecureLogin bool
	Auth                string // AuthPassword, AuthGoogle, AuthMicrosoft
	// Login empty: no AUTH; with tokens: as the account that is signed in.
	Login string
	// Password is set whenever Login is: if no key gives it, it is systemd's credential
	// serverN.password, where N is Name.
	Password Secret // an access token for XOAUTH2 if it IsToken
	CAFile   string // empty: the system's
	// TLSFingerprint is the SHA-256 of the one certificate to accept, as lower-case hex;
	// empty: CAFile decides.
	TLSFingerprint string
	Preset         string // of PresetNames, or empty
	// FromPreset lists the keys that come from it and not from the file, as they would be written.
	FromPreset            []string
	Connections           int
	MessagesPerConnection int
	RatePerMinute         int // 0: no limit
	RatePerDay            int // 0: no limit
	RecipientsPerMessage  int
	// Senders are the envelope senders that use this server: addresses, or domains as
	// "@branch.example.org", in lower case; empty: anybody.
	Senders     []string
	Timeout     time.Duration
	DataTimeout time.Duration
}

// Limit is how much mail may go to recipients in some domains.
type Limit struct {
	Domains  []string // in lower case, each once; at least one
	Messages int      // at most so many in any time of the length Per; at least 1
	Per      time.Duration
}

// Retry is when to try again and when to give up.
type Retry struct {
	ShortRange time.Duration
	ShortDelay [2]time.Duration // low, high; low <= high
	LongDelay  [2]time.Duration
	GiveUp     time.Duration // 0: one attempt
	WarnAfter  time.Duration // 0: never
}

// Spool is where mail waits.
type Spool struct {
	Dir            string
	MaxMessageSize int64         // octets, as given to enqueue
	KeepFailed     time.Duration // 0: for ever
	KeepHistory    time.Duration // 0: not at all
	// Database is the address of the database that is the spool, in place of Dir; not set: Dir is.
	Database         Secret
	Buffer           bool   // dir is set beside database: Dir takes mail in while the database cannot be reached
	DatabasePassword Secret // not set: the address has it, or none is needed; systemd's credential is database.password
}

// Log is where the log goes.
type Log struct {
	To string // "stderr", "syslog" or the absolute path of a file
}

// Bounces is the mailbox that late returns come to. Its keys Auth to CAFile are as those of
// a Server.
type Bounces struct {
	Imap     string // "host:port"; empty: no mailbox
	Auth     string
	Login    string
	Password Secret // systemd's credential is bounces.password
	CAFile   string
	Folder   string
	MoveTo   string // where returns of ours are moved to; empty: nowhere, they are flagged as seen
}

// Implicit reports whether TLS begins with the first octet, and not by STARTTLS.
func (b *Bounces) Implicit() bool { return strings.HasSuffix(b.Imap, ":993") }

// withDefaults is the Config of an empty file, but for what depends on the machine.
func withDefaults(path string) *Config {
	return &Config{
		Path:     path,
		Delivery: Delivery{Via: ViaServers},
		Retry: Retry{
			ShortRange: 3 * time.Hour,
			ShortDelay: [2]time.Duration{3 * time.Minute, 9 * time.Minute},
			LongDelay:  [2]time.Duration{60 * time.Minute, 90 * time.Minute},
			GiveUp:     100 * time.Hour,
		},
		Spool: Spool{MaxMessageSize: 50 << 20, KeepFailed: 30 * 24 * time.Hour, KeepHistory: 90 * 24 * time.Hour},
		Log:   Log{To: "stderr"},
		// Gmail uses TLS from the first octet; Microsoft 365 only STARTTLS.
		Google:    Account{SMTPHost: "smtp.gmail.com", SMTPPort: 465},
		Microsoft: Account{SMTPHost: "smtp.office365.com", SMTPPort: 587},
		Bounces:   Bounces{Auth: AuthPassword, Folder: "INBOX"},
		Service:   defaultService(),
		Serve:     defaultServe(),
		DKIM:      DKIM{Selector: "notices"},
	}
}

// defaultServer is the n-th server (from 1) before its keys are read.
func defaultServer(n int) Server {
	return Server{
		Name:                  strconv.Itoa(n),
		Port:                  587,
		TLS:                   tlsAuto,
		Auth:                  AuthPassword,
		Connections:           4,
		MessagesPerConnection: 50,
		RecipientsPerMessage:  100,
		Timeout:               60 * time.Second,
		DataTimeout:           10 * time.Minute,
	}
}

// tlsAuto is a value in the file only; it does not leave this package.
const tlsAuto = "auto"

// decideTLS ends tls = "auto": port 465 is implicit TLS, any other STARTTLS.
func decideTLS(tls string, port int) string {
	switch {
	case tls != tlsAuto:
		return tls
	case port == 465:
		return Implicit
	}
	return StartTLS
}

// Missing is the error of a command that needs a key which may otherwise be left
// out, for example c.Missing("[site] address", "test mail goes there").
func (c *Config) Missing(key, why string) *Error {
	return &Error{File: c.Path, Key: key, Msg: "is not set: " + why}
}
