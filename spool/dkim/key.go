package dkim

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// Sizes of RSA keys, in bits. Verifiers take no shorter ones, and need not take longer ones
// (RFC 8301 section 3.2).
const (
	MinBits     = 1024
	MaxBits     = 4096
	DefaultBits = 2048
)

// Key is a private key.
type Key struct {
	private crypto.Signer
	name    string // k= of the record: "rsa" or "ed25519"
	public  []byte // p= of the record
}

// NewRSA makes an RSA key of so many bits.
func NewRSA(bits int) (*Key, error) {
	if bits < MinBits || bits > MaxBits {
		return nil, fmt.Errorf("an RSA key for DKIM has %d to %d bits", MinBits, MaxBits)
	}
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	return newKey(private)
}

// NewEd25519 makes an Ed25519 key.
func NewEd25519() (*Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return newKey(private)
}

func newKey(private any) (*Key, error) {
	switch private := private.(type) {
	case *rsa.PrivateKey:
		if bits := private.N.BitLen(); bits < MinBits || bits > MaxBits {
			return nil, fmt.Errorf("the RSA key has %d bits; for DKIM it must have %d to %d", bits, MinBits, MaxBits)
		}
		public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
		return &Key{private, "rsa", public}, err
	case ed25519.PrivateKey:
		return &Key{private, "ed25519", private.Public().(ed25519.PublicKey)}, nil // the 32 octets alone, RFC 8463 section 4.2
	}
	return nil, errors.New("the key is neither an RSA nor an Ed25519 key")
}

// ParseKey reads a key as PEM writes it: PKCS #8, which openssl genpkey and opendkim-genkey
// make, or PKCS #1 (BEGIN RSA PRIVATE KEY). The errors have nothing of the key in them.
func ParseKey(text []byte) (*Key, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("this is not a private key in PEM form (-----BEGIN PRIVATE KEY-----)")
	}
	switch block.Type {
	case "PRIVATE KEY":
		private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the private key cannot be read: it is damaged, or of a kind that DKIM does not know")
		}
		return newKey(private)
	case "RSA PRIVATE KEY":
		private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the RSA key cannot be read: it is damaged, or protected by a passphrase")
		}
		return newKey(private)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the key is protected by a passphrase, which nobody could type when mail is sent")
	}
	return nil, fmt.Errorf("this is %q, not a private key", block.Type)
}

// PEM is the key as it is kept in a file (PKCS #8).
func (k *Key) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return b.Bytes(), err
}

// Kind says what key it is, for people: "RSA, 2048 bits" or "Ed25519".
func (k *Key) Kind() string {
	if private, ok := k.private.(*rsa.PrivateKey); ok {
		return fmt.Sprintf("RSA, %d bits", private.N.BitLen())
	}
	return "Ed25519"
}

// Record is the TXT record for the key (RFC 6376 section 3.6.1).
func (k *Key) Record() string {
	return "v=DKIM1; k=" + k.name + "; p=" + base64.StdEncoding.EncodeToString(k.public)
}

// RecordName is the name of that record, without a dot at its end.
func (s *Signer) RecordName() string { return s.selector + "._domainkey." + s.domain }
