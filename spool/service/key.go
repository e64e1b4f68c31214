package service

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"
)

// newKey draws a key. It returns what the site is told and what is stored of it.
func (r *Register) newKey() (string, key) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	text := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:]))
	return text, key{SHA256: sha256.Sum256([]byte(text)), Made: r.now().UTC().Truncate(time.Second)}
}
