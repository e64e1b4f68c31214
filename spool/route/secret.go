package route

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"notices/spool/smtpclient"
)

// secret watches the password or token of a server go by, so that it is known
// which one was refused. A password is read once a run: password_command may be
// slow, and twenty connections need it.
type secret struct {
	account  string // host, port and login: to correct one of them is a new chance, too
	login    string
	password func(context.Context) (string, error)
	tokens   smtpclient.TokenSource

	mu   sync.Mutex
	read bool
	last string
}

// watch puts a watcher into s. Without a login no secret is used.
func watch(s *smtpclient.Server) *secret {
	account := fmt.Sprintf("%s:%d %s\n", s.Host, s.Port, s.Login)
	if s.Login == "" {
		return &secret{account: account}
	}
	k := &secret{account: account, login: s.Login, password: s.Password, tokens: s.Tokens}
	if k.password != nil {
		s.Password = k.Password
	}
	if k.tokens != nil {
		s.Tokens = k
	}
	return k
}

// Password reads the password, once.
func (k *secret) Password(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.read {
		return k.last, nil
	}
	return k.keep(k.password(ctx))
}

// Token implements smtpclient.TokenSource. Tokens change in mid-run: none is kept.
func (k *secret) Token(ctx context.Context) (string, error) {
	token, err := k.tokens.Token(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keep(token, err)
}

// Refresh implements smtpclient.TokenSource.
func (k *secret) Refresh(ctx context.Context, stale string) (string, error) {
	token, err := k.tokens.Refresh(ctx, stale)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keep(token, err)
}

func (k *secret) keep(s string, err error) (string, error) {
	k.read, k.last = err == nil, s
	return s, err
}

// fetch gets the secret; an error means that logging in cannot even be tried.
func (k *secret) fetch(ctx context.Context) error {
	var what, got string
	var err error
	switch {
	case k.tokens != nil:
		what = "token"
		got, err = k.Token(ctx)
	case k.password != nil:
		what = "password"
		got, err = k.Password(ctx)
	default:
		return nil
	}
	if err == nil && got == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return fmt.Errorf("no %s for %s: %w", what, k.login, err)
	}
	return nil
}

// unread stands for the digest of a secret that could not be had.
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

// changed reports whether the secret, or the account it is for, is another than the
// one whose digest was kept. One that still cannot be had has not changed.
func (k *secret) changed(ctx context.Context, kept string) bool {
	if k.fetch(ctx) != nil {
		return false
	}
	front, hash, ok := strings.Cut(kept, ".")
	salt, err := hex.DecodeString(front)
	if !ok || err != nil {
		return true // unread then, and now it is there; or damaged
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return subtle.ConstantTimeCompare([]byte(derive(k.account+k.last, salt)), []byte(hash)) == 0
}

func derive(secret string, salt []byte) string {
	key, err := pbkdf2.Key(sha256.New, secret, salt, rounds, sha256.Size)
	if err != nil { // only in FIPS mode, for a short salt
		return ""
	}
	return hex.EncodeToString(key)
}
