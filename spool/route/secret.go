package route

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"notices/spool/smtpclient"
)

// secret remembers the last password or token that was read for a server, so that it is known
// which one was refused.
type secret struct {
	server  *smtpclient.Server // whose Password and Tokens it wraps
	account string             // host, port and login: correcting one of them is a new chance, too

	password func(context.Context) (string, error)
	tokens   smtpclient.TokenSource

	mu   sync.Mutex
	read bool
	last string
}

// wrapSecret wraps the Password and Tokens of s. Without a login no secret is used.
func wrapSecret(s *smtpclient.Server) *secret {
	k := &secret{server: s, account: fmt.Sprintf("%s:%d %s\n", s.Host, s.Port, s.Login)}
	if s.Login == "" {
		return k
	}
	k.password, k.tokens = s.Password, s.Tokens
	if k.password != nil {
		s.Password = func(ctx context.Context) (string, error) { return k.seen(k.password(ctx)) }
	}
	if k.tokens != nil {
		s.Tokens = k
	}
	return k
}

// Token implements smtpclient.TokenSource.
func (k *secret) Token(ctx context.Context) (string, error) { return k.seen(k.tokens.Token(ctx)) }

// Refresh implements smtpclient.TokenSource.
func (k *secret) Refresh(ctx context.Context, stale string) (string, error) {
	return k.seen(k.tokens.Refresh(ctx, stale))
}

// seen remembers what was read.
func (k *secret) seen(s string, err error) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.read, k.last = err == nil, s
	return s, err
}

// fetch gets the secret; an error means that logging in cannot even be tried. It is an
// *smtpclient.Error.
func (k *secret) fetch(ctx context.Context) error {
	_, err := smtpclient.FetchSecret(ctx, k.server)
	return err
}

// unread stands for the digest of a secret that could not be read.
const unread = "unread"

// rounds makes guessing a password from its digest in the spool slow; a run pays
// for it only when a secret was refused (some milliseconds).
const rounds = 10_000

// digest of the last secret seen, with a salt of its own.
func (k *secret) digest() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.read && (k.password != nil || k.tokens != nil) {
		return unread
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	return hex.EncodeToString(salt) + "." + derive(k.account+k.last, salt)
}

// changed reports whether the secret, or the account it is for, differs from the one of
// that digest. A secret that still cannot be read has not changed.
func (k *secret) changed(ctx context.Context, old string) bool {
	if k.fetch(ctx) != nil {
		return false
	}
	front, hash, ok := strings.Cut(old, ".")
	salt, err := hex.DecodeString(front)
	if !ok || err != nil {
		return true // it could not be read then, and now it can; or the digest is damaged
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return derive(k.account+k.last, salt) != hash
}

func derive(secret string, salt []byte) string {
	key, err := pbkdf2.Key(sha256.New, secret, salt, rounds, sha256.Size)
	if err != nil { // in FIPS mode only, for a short salt
		return ""
	}
	return hex.EncodeToString(key)
}
