package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"notices/spool/maillog"
)

// watchInterval is how often the files of the certificate are looked at.
const watchInterval = 10 * time.Second

// Certificate is that of the TLS listeners. It is reloaded when its files change. One that
// cannot be used does not replace one that can.
type Certificate struct {
	now func() time.Time

	mu        sync.Mutex
	cert, key string // the files
	pair      *tls.Certificate
	read      [2]stamp // the files that were last read, whether they could be used or not
	seen      [2]stamp // when they were last looked at
}

// stamp shows that a file is another one than before.
type stamp struct {
	size int64
	at   time.Time
}

func stampOf(path string) (s stamp) {
	if info, err := os.Stat(path); err == nil {
		s = stamp{info.Size(), info.ModTime()}
	}
	return s
}

// LoadCertificate reads a certificate chain and its private key, both in PEM.
func LoadCertificate(cert, key string, now func() time.Time) (*Certificate, error) {
	c := &Certificate{now: now}
	return c, c.Use(cert, key)
}

// Use reads the certificate now, from files that may be others than before. After an error the one
// before stays.
func (c *Certificate) Use(cert, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	read := [2]stamp{stampOf(cert), stampOf(key)}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err == nil && c.pair != nil && c.now().After(pair.Leaf.NotAfter) {
		err = errors.New("it ended on " + pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	if err != nil {
		if c.pair != nil && cert == c.cert && key == c.key {
			c.read = read
		}
		return fmt.Errorf("certificate %s, key %s: %w", cert, key, err)
	}
	c.cert, c.key, c.pair, c.read = cert, key, &pair, read
	return nil
}

// Ends is when the certificate ends.
func (c *Certificate) Ends() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pair.Leaf.NotAfter
}

// Watch reloads the certificate when its files have changed, until ctx ends.
func (c *Certificate) Watch(ctx context.Context, log *maillog.Log) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.check(log)
		case <-ctx.Done():
			return
		}
	}
}

// check reads the files if they are others than those that were read, and the same as at the check
// before: whoever renews a certificate replaces one of them after the other.
func (c *Certificate) check(log *maillog.Log) {
	c.mu.Lock()
	cert, key := c.cert, c.key
	now := [2]stamp{stampOf(cert), stampOf(key)}
	settled := now == c.seen && now != c.read
	c.seen = now
	c.mu.Unlock()
	if !settled {
		return
	}
	if err := c.Use(cert, key); err != nil {
		log.Trouble("the new certificate cannot be used; the previous one stays in use, until "+c.Ends().UTC().Format(time.DateOnly), err)
	}
}

// Config is for the TLS listeners.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.pair, nil
		},
	}
}
