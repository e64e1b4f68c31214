// Package dkimkey is what the commands do with the key of [dkim]: dkim-key makes it and prints
// the record for the DNS, check looks that record up, and the servers that mail goes out through
// sign with it. The signatures are package dkim's.
package dkimkey

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool/dkim"
	"notices/spool/route"
	"notices/spool/smtpclient"
)

// maxKey is the longest key file that is read, in octets: a key of 4096 bits has 3,300.
const maxKey = 64 << 10

// load reads the key of [dkim]. Its errors name the key of the config that is wrong.
func load(cfg *config.Config) (*dkim.Key, *dkim.Signer, error) {
	text, err := readKey(cfg.DKIM.KeyFile)
	var key *dkim.Key
	if err == nil {
		if key, err = dkim.ParseKey(text); err != nil {
			err = fmt.Errorf("names %s: %w", cfg.DKIM.KeyFile, err)
		}
	}
	if err != nil {
		return nil, nil, cfg.Fault("dkim", 0, "key_file", err)
	}
	signer, err := newSigner(cfg, key)
	return key, signer, err
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("names a file that does not exist: %s; to make it, run: notices dkim-key (%w)", path, err)
	case err != nil:
		return nil, fmt.Errorf("cannot be used: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxKey:
		return nil, fmt.Errorf("names %s, which is not a private key", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		err = fmt.Errorf("cannot be read: %w", err)
	}
	return text, err
}

func newSigner(cfg *config.Config, key *dkim.Key) (*dkim.Signer, error) {
	signer, err := dkim.NewSigner(cfg.DKIM.Domain, cfg.DKIM.Selector, key)
	if err != nil {
		err = cfg.Fault("dkim", 0, "domain", err)
	}
	return signer, err
}

// Use lets the servers sign what [dkim] says. Mail must not go out unsigned because the key
// cannot be read: an error is one of the configuration, and mail waits until it is right. The
// service of [service] is left out: it puts its own address into the From, which breaks a
// signature, and signs itself.
func Use(cfg *config.Config, servers []route.Server) error {
	own := func(s route.Server) bool { return s.Name != config.ViaService }
	if cfg.DKIM.Domain == "" || !slices.ContainsFunc(servers, own) {
		return nil
	}
	_, signer, err := load(cfg)
	if err != nil {
		return err
	}
	for i := range servers {
		if own(servers[i]) {
			servers[i].Sign = func(message func(io.Writer) error, changed bool) (string, error) {
				field, err := signer.Sign(message, changed)
				if errors.Is(err, dkim.ErrUnsignable) {
					err = unsignable{err}
				}
				return field, err
			}
		}
	}
	return nil
}

// unsignable is dkim.ErrUnsignable for package smtpclient.
type unsignable struct{ error }

// Is implements errors.Is.
func (unsignable) Is(target error) bool { return target == smtpclient.ErrUnsignable }

// Options of dkim-key.
type Options struct {
	Type string // "rsa", "ed25519"; "": RSA, or what is there
	Bits int    // of an RSA key; 0: 2048, or what is there
}

// Check refuses options that do not fit together.
func (o *Options) Check() error {
	switch {
	case o.Type != "" && o.Type != "rsa" && o.Type != "ed25519":
		return fmt.Errorf("--type must be rsa or ed25519, not %q", o.Type)
	case o.Bits != 0 && o.Type == "ed25519":
		return errors.New("--bits is for RSA keys; all Ed25519 keys have the same length")
	case o.Bits != 0 && (o.Bits < dkim.MinBits || o.Bits > dkim.MaxBits):
		return fmt.Errorf("--bits must be from %d to %d; %d is usual", dkim.MinBits, dkim.MaxBits, dkim.DefaultBits)
	}
	return nil
}

// wants reports whether a key is one that the options ask for.
func (o *Options) wants(key *dkim.Key) bool {
	kind := key.Kind()
	switch {
	case o.Bits != 0:
		return kind == fmt.Sprintf("RSA, %d bits", o.Bits)
	case o.Type == "rsa":
		return strings.HasPrefix(kind, "RSA")
	case o.Type == "ed25519":
		return kind == "Ed25519"
	}
	return true
}

func (o *Options) make() (*dkim.Key, error) {
	if o.Type == "ed25519" {
		return dkim.NewEd25519()
	}
	return dkim.NewRSA(cmp.Or(o.Bits, dkim.DefaultBits))
}

// Run is dkim-key: it makes the key unless it is there, and prints the record.
func Run(p *app.Program, o Options) error {
	cfg, err := readConfig(p)
	if err != nil {
		return err
	}
	owner, err := p.SpoolOwner(cfg)
	if err != nil {
		return err
	}
	path := cfg.DKIM.KeyFile
	if owner != nil && owner.Controls(path) {
		// The owner could exchange a folder on the way for a link, so root does not follow.
		if err := p.BecomeOwner(cfg); err != nil {
			return err
		}
		owner = nil
	}
	_, err = os.Lstat(path)
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		if err := makeFile(path, o, owner); err != nil {
			return err
		}
	}
	key, signer, err := load(cfg)
	switch {
	case err != nil:
		return err
	case !o.wants(key):
		return app.Fail(app.ExitCannotMake, "%s has a key already (%s), which was not changed. To go over to another key, set another selector and key_file in [dkim] of %s, run notices dkim-key again, "+
			"and leave the record of the old selector in the DNS for a week", path, key.Kind(), cfg.Path)
	}
	return print(p.Stdout, path, made, key, signer)
}

// readConfig reads what dkim-key needs: [dkim] must be in order, but for the file that
// is not there yet.
func readConfig(p *app.Program) (*config.Config, error) {
	cfg, err := p.ReadConfig(config.Intake)
	if err != nil {
		return nil, err
	}
	for _, e := range cfg.Problems {
		if strings.HasPrefix(e.Key, "[dkim]") {
			return nil, e
		}
	}
	if cfg.DKIM.Domain == "" {
		return nil, cfg.Missing("[dkim] domain", `it is the domain whose mail is to be signed; add a section [dkim] with domain = "example.org"`)
	}
	_, err = newSigner(cfg, nil)
	return cfg, err
}

// makeFile makes the key and its file, whole or not at all. owner: who it is to belong to; nil:
// this user.
func makeFile(path string, o Options, owner *app.Owner) error {
	key, err := o.make()
	if err != nil {
		return err
	}
	text, err := key.PEM()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".new-*") // 0600
	if err != nil {
		return cannotMake(path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if owner != nil {
		err = cmp.Or(err, owner.Give(f))
	}
	if err = cmp.Or(err, f.Sync(), f.Close()); err != nil {
		return cannotMake(path, err)
	}
	if err := os.Link(f.Name(), path); err != nil { // it overwrites nothing
		return cannotMake(path, err)
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(f.Sync(), f.Close())
}

func cannotMake(path string, err error) error {
	code := app.StoreCode(err)
	if code == app.ExitIO || errors.Is(err, fs.ErrNotExist) {
		code = app.ExitCannotMake
	}
	return &app.Failure{Code: code, Err: fmt.Errorf("the key %s cannot be made: %w", path, err)}
}
