package smtpclient

import (
	"context"
	"crypto/x509"
	"net"
	"time"
)

// TLSMode says how TLS begins. The zero value is TLSAuto.
type TLSMode string

// TLS modes, as in notices.toml(5).
const (
	TLSAuto     TLSMode = "auto"     // implicit at port 465, else STARTTLS
	TLSImplicit TLSMode = "implicit" // TLS from the first byte (RFC 8314 3.3)
	TLSStart    TLSMode = "starttls" // RFC 3207
)

// Server is all that a conversation needs to know about one server. It is plain
// data, may be copied, and is not changed by this package.
type Server struct {
	Name string // "1", "2", "google"...: goes into Reply.Server
	Host string // a name or an IP address; the certificate must be for it
	Port int
	TLS  TLSMode
	// AllowNonSecure lets Open step down from verified TLS to TLS that could not be verified, and
	// from that to none. Without it: no verified TLS, no mail, no password.
	AllowNonSecure bool
	// AllowNonSecureLogin lets the password travel over the last two as well. A token never does.
	AllowNonSecureLogin bool
	Hello               string // EHLO name
	// FindHello finds the EHLO name when Hello is empty and a connection is made. If it is nil or
	// returns "", the name is the connection's own address in brackets (RFC 5321 section 4.1.4).
	FindHello func() string
	Login     string // user name for AUTH
	// Password is asked once for each Open, before anything is dialled. nil: no AUTH, unless Tokens is set.
	Password func(context.Context) (string, error)
	Tokens   TokenSource // XOAUTH2 instead of a password; nil otherwise
	// SecretKey is the configuration's key for the password or token, for advice:
	// "password_file", "token_command"; empty: a sign-in, or no secret.
	SecretKey string
	Roots     *x509.CertPool // nil: the system's
	// Fingerprint is the SHA-256 of the one certificate to accept (of its DER form), as
	// lower-case hex, instead of an authority, a name and a time; empty: Roots decide.
	Fingerprint string
	// Timeout is the longest wait for each step: one address to connect, the TLS handshake,
	// each whole reply, each 64 KiB of the message written. DataTimeout is that for the
	// reply to the final dot. 0: 60 s and 10 min (RFC 5321 4.5.3.2.6).
	Timeout, DataTimeout time.Duration
	// Sign makes a header field for each message at the moment it is sent; nil: none.
	Sign    SignFunc
	Now     func() time.Time // for Reply.At; nil: time.Now
	Observe func(Step)       // may be nil; called in the goroutine that runs Open or Send
	// Addresses is what the run knows of the host's addresses; nil: each Open finds out anew.
	Addresses *Addresses
	// Resolve and Dial are for tests; nil: the system's. Dial without Resolve gets the host's
	// name, and looks it up itself.
	Resolve func(ctx context.Context, host string) ([]string, error)
	Dial    Dialer
}

// Called is what sentences call the server of that name: "server 1", "the service".
func Called(name string) string {
	if name == "service" {
		return "the service"
	}
	return "server " + name
}

// Dialer is the form of net.Dialer.DialContext.
type Dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// TokenSource gives OAuth access tokens.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
	// Refresh returns another token than stale, which a server has refused.
	Refresh(ctx context.Context, stale string) (string, error)
}
