package service

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"notices/spool"
	"notices/spool/printable"
)

// Errors of the register. Others are those of the State, wrapped.
var (
	// ErrInvalid: the id, the name or the address of a site cannot be used. The text says why.
	ErrInvalid = errors.New("cannot be used")
	// ErrExists: Add found a site of that id that is not revoked.
	ErrExists = errors.New("exists already")
	// ErrUnknown: no site of that id was ever added.
	ErrUnknown = errors.New("no such site")
	// ErrRevoked: the site is revoked. It can be added anew.
	ErrRevoked = errors.New("revoked")
	// ErrRefused: the id or the key is wrong, or the key is not valid any more. It does not say
	// which of these, so that nobody learns what sites exist.
	ErrRefused = errors.New("unknown site or wrong key")
)

// OldKeyTime is how long the old key works after Rotate.
const OldKeyTime = 7 * 24 * time.Hour

// Limits of what is kept of a site.
const (
	maxID   = 64  // octets
	maxName = 200 // octets
	maxKeys = 5   // of one site that are valid at the same time: the newest ones
)

// Site is one customer of the service.
type Site struct {
	ID      string    // its user name, in lower case
	Name    string    // as patrons see it
	Address string    // where its returns go
	Created time.Time // since when the id is this customer's; mail before that is another's
	Revoked time.Time // zero if it is not revoked
	// OldKeyUntil is how long the key before the last Rotate works; zero if it does not.
	OldKeyUntil time.Time

	// LastUsed is when a key of the site was last accepted, and Today is how many messages the
	// service took from it on this day, by the host's clock. Only List sets them.
	LastUsed time.Time
	Today    int

	key digest // the key that Authenticate was given
}

// SameKey reports whether both are the same site, authenticated with the same key.
func (s *Site) SameKey(o *Site) bool { return s.ID == o.ID && s.key == o.key }

// Register is the register of sites. Its methods are safe for concurrent use, by goroutines
// and by processes.
type Register struct {
	State spool.State
	Now   func() time.Time // nil: time.Now

	mu     sync.Mutex
	cached [pages]cachedPage
	used   usePage // since the last Flush
}

type digest [sha256.Size]byte

// MarshalText writes the digest in hexadecimal.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return errors.New("a SHA-256 has 64 hexadecimal digits")
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// record is what is stored of a site.
type record struct {
	Name    string    `json:"name"`
	Address string    `json:"address"`
	Keys    []key     `json:"keys,omitempty"` // the newest first
	Created time.Time `json:"created"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// key is what is stored of a key.
type key struct {
	SHA256  digest    `json:"sha256"`
	Made    time.Time `json:"made"`
	Expires time.Time `json:"expires,omitzero"` // zero if it does not
}

func (k *key) valid(now time.Time) bool { return k.Expires.IsZero() || now.Before(k.Expires) }

// has reports whether one of the keys is valid and has that digest. It takes the same time
// whether one has it or not.
func (r *record) has(d *digest, now time.Time) bool {
	found := 0
	if r == nil || !r.Revoked.IsZero() {
		r = &record{Keys: make([]key, 1)} // a digest of zeros, which no key has
	}
	for i := range r.Keys {
		if k := &r.Keys[i]; k.valid(now) {
			found |= subtle.ConstantTimeCompare(k.SHA256[:], d[:])
		}
	}
	return found == 1
}

func (r *record) site(id string, now time.Time) *Site {
	s := &Site{ID: id, Name: r.Name, Address: r.Address, Created: r.Created, Revoked: r.Revoked}
	if len(r.Keys) > 1 && r.Keys[1].valid(now) {
		s.OldKeyUntil = r.Keys[1].Expires
	}
	return s
}

// pages is the number of values that the sites are spread over.
const pages = 64

// page is one of those values.
type page map[string]*record

// cachedPage is a page as it was last read.
type cachedPage struct {
	raw  string
	page page // never changed
}

func pageOf(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % pages)
}

func pageName(n int) string { return fmt.Sprintf("sites-%02d", n) }

func (r *Register) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// ID is the id of a site as a person typed it, in lower case. It has at most 64 letters, digits,
// dots, hyphens and underscores, and begins with a letter or a digit. ErrInvalid.
func ID(text string) (string, error) {
	id := strings.ToLower(text)
	if !spool.ID(id).Valid() || len(id) > maxID {
		return "", fmt.Errorf("%q as the name of a site %w: use at most %d letters, digits, dots, hyphens and underscores, a letter or digit first",
			printable.Short(text, maxID), ErrInvalid, maxID)
	}
	return id, nil
}

// Add registers a site and returns its key, which is stored nowhere. A revoked site is
// registered anew. ErrInvalid, ErrExists.
func (r *Register) Add(ctx context.Context, id, name, address string) (text string, err error) {
	if id, err = ID(id); err != nil {
		return "", err
	}
	if err := checkName(name); err != nil {
		return "", err
	}
	if err := spool.CheckAddress(address); err != nil {
		return "", fmt.Errorf("the address of site %s %w: %w", id, ErrInvalid, err)
	}
	if err := r.forgetUse(ctx, id); err != nil {
		return "", fmt.Errorf("registering site %s: %w", id, err)
	}
	secret, stored := r.newKey()
	err = r.update(ctx, id, func(old *record) (*record, error) {
		if old != nil && old.Revoked.IsZero() {
			return nil, fmt.Errorf("site %s %w", id, ErrExists)
		}
		fresh := &record{Name: name, Address: address, Created: stored.Made, Keys: []key{stored}}
		if old != nil && !fresh.Created.After(old.Revoked) { // mail of the same second is the old customer's
			fresh.Created = old.Revoked.Add(time.Second)
		}
		return fresh, nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

func checkName(name string) error {
	if strings.TrimSpace(name) == "" || len(name) > maxName || !utf8.ValidString(name) || printable.Text(name) != name {
		return fmt.Errorf("%q as the name that patrons see %w: use 1 to %d octets of text that shows", printable.Short(name, maxName), ErrInvalid, maxName)
	}
	return nil
}

// Rotate gives a site a new key. The old one works for OldKeyTime more, unless now is set.
// ErrUnknown, ErrRevoked.
func (r *Register) Rotate(ctx context.Context, id string, now bool) (secret string, err error) {
	secret, stored := r.newKey()
	err = r.update(ctx, strings.ToLower(id), func(old *record) (*record, error) {
		if err := old.usable(id); err != nil {
			return nil, err
		}
		changed := *old
		changed.Keys = []key{stored}
		for _, k := range old.Keys {
			if k.Expires.IsZero() {
				k.Expires = stored.Made.Add(OldKeyTime)
			}
			if !now && k.valid(stored.Made) && len(changed.Keys) < maxKeys {
				changed.Keys = append(changed.Keys, k)
			}
		}
		return &changed, nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

func (r *record) usable(id string) error {
	switch {
	case r == nil:
		return fmt.Errorf("%w: %s", ErrUnknown, printable.Short(id, maxID))
	case !r.Revoked.IsZero():
		return fmt.Errorf("site %s was %w on %s; to register it again, run: notices service-key add %[1]s --name %[4]s --address %[5]s",
			printable.Short(strings.ToLower(id), maxID), ErrRevoked, r.Revoked.Format(time.DateOnly), printable.ShellQuote(r.Name), printable.ShellQuote(r.Address))
	}
	return nil
}

// Revoke ends all keys of a site at once. Its name and its address are kept, for returns of
// mail that it sent before. ErrUnknown; a site that is revoked stays so.
func (r *Register) Revoke(ctx context.Context, id string) error {
	return r.update(ctx, strings.ToLower(id), func(old *record) (*record, error) {
		if err := old.usable(id); errors.Is(err, ErrRevoked) {
			return old, nil
		} else if err != nil {
			return nil, err
		}
		changed := *old
		changed.Keys, changed.Revoked = nil, r.now().UTC().Truncate(time.Second)
		return &changed, nil
	})
}

// Adopt adds the sites of another register that this one does not know, with their keys, and
// returns how many. Those that it knows stay as they are.
func (r *Register) Adopt(ctx context.Context, from spool.State) (n int, err error) {
	other := Register{State: from}
	for i := range pages {
		theirs, err := other.load(ctx, i)
		if err != nil {
			return n, err
		}
		if len(theirs) == 0 {
			continue
		}
		added := 0
		err = r.change(ctx, i, func(p page) error {
			added = 0
			for id, rec := range theirs {
				if p[id] == nil {
					p[id] = rec
					added++
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		n += added
	}
	return n, nil
}

// List returns all sites in the order of their ids, the revoked ones too.
func (r *Register) List(ctx context.Context) ([]Site, error) {
	var all []Site
	now := r.now()
	for n := range pages {
		sites, err := r.load(ctx, n)
		if err != nil {
			return nil, err
		}
		if len(sites) == 0 {
			continue
		}
		used, err := r.loadUse(ctx, n)
		if err != nil {
			return nil, err
		}
		for id, rec := range sites {
			s := rec.site(id, now)
			used[id].tell(s, now)
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(a, b Site) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// Lookup returns a site, a revoked one too. ErrUnknown.
func (r *Register) Lookup(ctx context.Context, id string) (*Site, error) {
	id = strings.ToLower(id)
	sites, err := r.load(ctx, pageOf(id))
	if err != nil {
		return nil, err
	}
	rec := sites[id]
	if rec == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, printable.Short(id, maxID))
	}
	return rec.site(id, r.now()), nil
}

// Authenticate returns the site of that id if the key is one of its keys. ErrRefused, after
// the same time whatever is wrong.
func (r *Register) Authenticate(ctx context.Context, id, secret string) (*Site, error) {
	return r.check(ctx, strings.ToLower(id), sha256.Sum256([]byte(secret)))
}

// Still returns what a site that Authenticate returned is now, if the same key is still valid;
// else ErrRefused.
func (r *Register) Still(ctx context.Context, s *Site) (*Site, error) {
	return r.check(ctx, s.ID, s.key)
}

func (r *Register) check(ctx context.Context, id string, d digest) (*Site, error) {
	sites, err := r.load(ctx, pageOf(id))
	if err != nil {
		return nil, err
	}
	now, rec := r.now(), sites[id]
	if !rec.has(&d, now) {
		return nil, ErrRefused
	}
	s := rec.site(id, now)
	s.key = d
	return s, nil
}

// load reads a page, and parses it only if it has changed since the last time.
func (r *Register) load(ctx context.Context, n int) (page, error) {
	raw, err := r.State.Load(ctx, pageName(n))
	if err != nil {
		return nil, fmt.Errorf("reading the register of sites: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.cached[n]
	if c.raw != string(raw) {
		p, err := parsePage(n, raw)
		if err != nil {
			return nil, err
		}
		*c = cachedPage{string(raw), p}
	}
	return c.page, nil
}

// parsePage never takes a damaged page for an empty one: the keys of its sites would be lost
// with the next change.
func parsePage(n int, raw []byte) (page, error) {
	p := page{}
	if len(raw) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("value %s of the spool's state, a part of the register of sites, is damaged: %w; restore it from a backup", pageName(n), err)
	}
	for id, rec := range p {
		if rec == nil {
			delete(p, id)
		}
	}
	return p, nil
}

// update changes one site, durably. change is given nil for a site that is not there. Its error is
// returned as it is.
func (r *Register) update(ctx context.Context, id string, change func(*record) (*record, error)) error {
	var refused error
	err := r.change(ctx, pageOf(id), func(p page) error {
		var rec *record
		if rec, refused = change(p[id]); refused != nil {
			return refused
		}
		p[id] = rec
		return nil
	})
	return cmp.Or(refused, err)
}

// change changes a page, durably.
func (r *Register) change(ctx context.Context, n int, change func(page) error) error {
	err := r.State.Update(ctx, pageName(n), true, func(raw []byte) ([]byte, error) {
		p, err := parsePage(n, raw)
		if err == nil {
			err = change(p)
		}
		if err != nil {
			return nil, err
		}
		return json.Marshal(p)
	})
	if err != nil {
		return fmt.Errorf("changing the register of sites: %w", err)
	}
	return nil
}
