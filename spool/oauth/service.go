package oauth

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
)

// ServiceAccount is an account at Google for a program. With domain-wide delegation it may
// send as any user of a Workspace, and nobody has to sign in.
// https://developers.google.com/identity/protocols/oauth2/service-account
type ServiceAccount struct{ file accountKey }

// accountKey is what Google's console hands out.
type accountKey struct {
	Type     string `json:"type"`
	Email    string `json:"client_email"`
	ClientID string `json:"client_id"`
	Key      string `json:"private_key"`
	KeyID    string `json:"private_key_id"`
	TokenURL string `json:"token_uri"`
}

// ParseServiceAccount reads the key file that Google's console hands out. Errors say
// nothing of what is in it.
func ParseServiceAccount(file []byte) (*ServiceAccount, error) {
	var f accountKey
	switch {
	case json.Unmarshal(file, &f) != nil:
		return nil, errors.New("is not a JSON file: take the one that was downloaded when the key was made")
	case f.Type != "service_account":
		return nil, errors.New("is not a key of a service account: in the Google Cloud console, make one below IAM & Admin, Service Accounts, Keys")
	case f.TokenURL != "" && !isSecure(f.TokenURL):
		return nil, errors.New("has a token_uri that is not an https address")
	case f.Email == "" || !isKey(f.Key):
		return nil, errors.New("lacks client_email or a private_key that can be read: download a new key")
	}
	return &ServiceAccount{f}, nil
}

// isKey reports whether x/oauth2 can read a key: PKCS 8 or PKCS 1, in PEM.
func isKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return true
	}
	_, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	return err == nil
}

// isSecure reports whether what goes to an address is encrypted, or does not leave this
// machine.
func isSecure(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http" && isLocal(u.Hostname()))
}

// isLocal reports whether a name or an address is that of a loopback interface.
func isLocal(name string) bool {
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// tokenURL is where tokens come from: the address in the config, else in the key file, else
// the provider's.
func (c *Client) tokenURL() string {
	named := ""
	if c.Service != nil {
		named = c.Service.file.TokenURL
	}
	return cmp.Or(c.Provider.TokenURL, named, Google().TokenURL)
}

// token asks for a token in the name of the configured account.
func (s *ServiceAccount) token(ctx context.Context, c *Client) (*oauth2.Token, error) {
	if c.Account == "" {
		return nil, errorf("[%s] account is not set: a service account sends as that user", c.Provider.Key)
	}
	config := &jwt.Config{
		Email: s.file.Email, PrivateKey: []byte(s.file.Key), PrivateKeyID: s.file.KeyID,
		Subject: c.Account, Scopes: []string{MailScope}, TokenURL: c.tokenURL(),
	}
	return config.TokenSource(c.with(ctx)).Token()
}

// advice is what an administrator can do when the service account is refused.
func (s *ServiceAccount) advice(account, said string) string {
	id := cmp.Or(s.file.ClientID, "of "+s.file.Email)
	return fmt.Sprintf("Google gives the service account %s no token for %s (%s); in the Admin console, below Security, Access and data control, "+
		"API controls, Domain-wide delegation, allow client %s the scope %s; then run: notices test-server google", s.file.Email, account, said, id, MailScope)
}
