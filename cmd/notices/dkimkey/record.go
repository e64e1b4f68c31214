package dkimkey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"notices/config"
	"notices/spool/dkim"
)

// print shows the record as forms of providers want it, and as zone files do.
func print(w io.Writer, path string, made bool, key *dkim.Key, signer *dkim.Signer) error {
	did := "is in"
	if made {
		did = "was made, and is in"
	}
	name := signer.RecordName()
	var zone strings.Builder
	for i, part := range dkim.Strings(key.Record()) {
		if i > 0 {
			zone.WriteString("\n\t")
		}
		zone.WriteString(`"` + part + `"`)
	}
	_, err := fmt.Fprintf(w, `The private key (%s) %s %s.
Add this record to the DNS; notices check says when it is there:

name:  %s
type:  TXT
value: %s

The same for a zone file:

%s. IN TXT (
	%s )
`, key.Kind(), did, path, name, key.Record(), name, zone.String())
	return err
}

// lookupTime is how long the DNS may take.
const lookupTime = 10 * time.Second

// Lookup finds the TXT records of a name, as net.Resolver.LookupTXT does.
type Lookup func(ctx context.Context, name string) ([]string, error)

// OtherDomain says that a service's mail is not signed, because its address is of another domain
// than [dkim] has. It is empty if the mail is signed, or is not to be.
func OtherDomain(cfg *config.Config) string {
	if cfg.DKIM.Domain == "" || cfg.Serve.Address == "" {
		return ""
	}
	signer, err := newSigner(cfg, nil)
	if err != nil || signer.Signs(cfg.Serve.Address) {
		return ""
	}
	of := cfg.Serve.Address[strings.LastIndexByte(cfg.Serve.Address, '@')+1:]
	return fmt.Sprintf("[dkim] domain is %s, and [serve] address is of another domain, %s: the mail of sites goes out without a signature. Set [dkim] domain = %q",
		cfg.DKIM.Domain, of, of)
}

// Remark says what is wrong with the record in the DNS. It is empty if the record is right, if mail
// is not signed, or if the key cannot be read.
func Remark(ctx context.Context, cfg *config.Config, lookup Lookup) string {
	if cfg.DKIM.Domain == "" || lookup == nil {
		return ""
	}
	key, signer, err := load(cfg)
	if err != nil {
		return "" // this is said elsewhere
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	name := signer.RecordName()
	records, err := lookup(ctx, name+".")
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && dns.IsNotFound {
		records, err = nil, nil
	}
	if err != nil {
		return fmt.Sprintf("the record for [dkim], TXT of %s, cannot be looked up now: %s", name, err)
	}
	differs := key.CheckRecords(records)
	if differs == "" {
		return ""
	}
	return fmt.Sprintf("the record for [dkim], TXT of %s, is not right in the DNS: %s. Until it is, other servers take our signatures for wrong ones; notices dkim-key prints the record", name, differs)
}
