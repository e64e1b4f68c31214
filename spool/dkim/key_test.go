package dkim

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

// TestKeys: a key is the same after it was in a file, and others are refused with a reason.
func TestKeys(t *testing.T) {
	for kind, key := range keys() {
		text, err := key.PEM()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKey(text)
		if err != nil || again.Record() != key.Record() || again.Kind() != key.Kind() {
			t.Errorf("%s: %v", kind, err)
		}
	}
	old := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(keys()["rsa"].private.(*rsa.PrivateKey))})
	if key, err := ParseKey(old); err != nil || key.Kind() != "RSA, 2048 bits" {
		t.Errorf("PKCS #1: %v", err)
	}
	public, _ := x509.MarshalPKIXPublicKey(keys()["ed25519"].private.(ed25519.PrivateKey).Public())
	for text, want := range map[string]string{
		"":                                     "PEM form",
		"x":                                    "PEM form",
		block("PUBLIC KEY", public):            "not a private key",
		block("PRIVATE KEY", public):           "cannot be read",
		block("RSA PRIVATE KEY", public):       "cannot be read",
		block("ENCRYPTED PRIVATE KEY", public): "passphrase",
		short512:                               "1024 to 4096",
		ecKey(t):                               "neither",
	} {
		if _, err := ParseKey([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v", text, err)
		}
	}
	for _, bits := range []int{0, 512, 8192} {
		if _, err := NewRSA(bits); err == nil {
			t.Errorf("a key of %d bits", bits)
		}
	}
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func ecKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

// short512 is a key that is too short for DKIM.
const short512 = `-----BEGIN RSA PRIVATE KEY-----
MIIBOgIBAAJBAMB99VjSa0yzzMoereZG2NwTLW6Jz8MvYpCcdCQScPp2gv8CPa1O
5LzO+WKrq+K8KFiXPmDDbcbgSGtAeZaSCX8CAwEAAQJAWgPNEt87bB/8mVwlaDUj
Pi79pN5vONBU4Fk5epDhIk4uMI2mwHBGKSCcBntwat4gpxHewro/2whFi6ZD6i//
8QIhAPpLuE+ujinPkyjC2B+rq58LUuwODqjjnFO2aJrIixZZAiEAxOD/rPkjqQfj
/QEHScV07cwdK+9paQAZfeh50S9xU5cCIEnjnpaPTlKTf7rxwkGfOTvraOBcygEb
qGOiHsFK4JyJAiBP9bXBkboa93pwEg/ctVZlEgYzBtw/6etwiI+ZFvSm5wIhANJm
1+aBGj/uQ5zzC/ZwyxjBSEbPCY3Z42hlgWYXpqrb
-----END RSA PRIVATE KEY-----
`

// TestRecords: what the DNS has, and what is said of it.
func TestRecords(t *testing.T) {
	r, e := keys()["rsa"], keys()["ed25519"]
	other, err := NewEd25519()
	if err != nil {
		t.Fatal(err)
	}
	ours := e.Record()
	folded := strings.ReplaceAll(strings.ReplaceAll(r.Record(), "; ", " ;\t"), "A", "A ")
	for _, c := range []struct {
		key     *Key
		records []string
		want    string
	}{
		{e, []string{ours}, ""},
		{r, []string{r.Record()}, ""},
		{r, []string{folded}, ""},
		{r, []string{strings.Replace(r.Record(), "k=rsa; ", "", 1)}, ""},
		{e, []string{strings.Replace(ours, "v=DKIM1; ", "", 1) + ";"}, ""},
		{e, []string{ours + "; n=note; s=*; h=sha1:sha256; t=s"}, ""},
		{e, nil, "not there"},
		{e, []string{ours, ours}, "2 TXT records"},
		{e, []string{"v=spf1 -all"}, `"v=spf1 -all"`},
		{e, []string{"v=DKIM2; p=x"}, "not a record for DKIM"},
		{e, []string{"v=DKIM1; k=ed25519; p="}, "revoked"},
		{e, []string{"v=DKIM1; p="}, "revoked"},
		{e, []string{other.Record()}, "another key"},
		{e, []string{r.Record()}, "k=rsa; ours is k=ed25519"},
		{r, []string{ours}, "k=ed25519; ours is k=rsa"},
		{e, []string{strings.Replace(ours, "k=ed25519; ", "", 1)}, "another kind"},
		{r, []string{r.Record()[:255]}, "cut off"},
		{r, []string{r.Record()[:256]}, "cut off"},
		{r, []string{r.Record() + "!"}, "cannot be read"},
		{r, []string{`"` + strings.Join(Strings(r.Record()), `" "`) + `"`}, "quotation marks"},
		{e, []string{`"` + ours + `"`}, "quotation marks"},
		{e, []string{ours + "; h=sha1"}, "sha256"},
		{e, []string{ours + "; s=tlsrpt"}, "not for e-mail"},
		{e, []string{ours + "; t=s:y"}, "t=y"},
	} {
		got := c.key.CheckRecords(c.records)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q: %q, want %q", c.records, got, c.want)
		}
	}
}

// TestStrings: joined, the parts are the record again.
func TestStrings(t *testing.T) {
	record := keys()["rsa"].Record()
	parts := Strings(record)
	if len(parts) != 2 || len(parts[0]) != 255 || strings.Join(parts, "") != record {
		t.Errorf("%q", parts)
	}
	if parts := Strings(keys()["ed25519"].Record()); len(parts) != 1 {
		t.Errorf("%q", parts)
	}
}
