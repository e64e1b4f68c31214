package oauth

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// Provider is what is special about one provider. Every endpoint can be replaced by that of
// a test provider, or of a broker, which keeps the client's secret for many sites.
type Provider struct {
	Key  string // "google": the section of the config, the commands, the State value
	Name string // "Google": for a person

	AuthURL     string
	DeviceURL   string
	TokenURL    string
	UserinfoURL string // empty: none
	RevokeURL   string // empty: the provider has none
	// AccountURL is the page where a person sees and ends what was granted.
	AccountURL string

	// RedirectHost and RedirectPath are where the browser is sent back to. The server
	// listens on 127.0.0.1 in any case.
	RedirectHost, RedirectPath string
	Params                     []oauth2.AuthCodeOption // of the authorization request

	Scopes   []Scope // that are asked for
	Identify []Scope // asked for as well when no account is configured
	// SameAccountOnly: mail can only be sent as the account that signed in, so a configured
	// account has to be the same.
	SameAccountOnly bool
}

// Scope is one permission.
type Scope struct {
	Name string
	Also []string // other spellings under which it comes back
	Box  string   // the words beside its box on the consent page
	For  string   // what it is for: "Notices needs it to ..."
	// Unlisted: the answer does not name it even when it was granted.
	Unlisted bool
	Mailbox  bool // a mailbox cannot be read without it
}

// Google's table. Endpoints: https://accounts.google.com/.well-known/openid-configuration;
// scopes: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol and
// https://developers.google.com/identity/protocols/oauth2/native-app.
func Google() Provider {
	return Provider{
		Key: "google", Name: "Google",
		AuthURL:      "https://accounts.google.com/o/oauth2/v2/auth",
		DeviceURL:    "https://oauth2.googleapis.com/device/code",
		TokenURL:     "https://oauth2.googleapis.com/token",
		UserinfoURL:  "https://openidconnect.googleapis.com/v1/userinfo",
		RevokeURL:    "https://oauth2.googleapis.com/revoke",
		AccountURL:   "https://myaccount.google.com/connections",
		RedirectHost: "127.0.0.1", RedirectPath: "/",
		// Without both, Google sends a refresh token only with the first consent ever.
		Params: []oauth2.AuthCodeOption{oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent")},
		Scopes: []Scope{
			{Name: "openid", Box: "Associate you with your personal info on Google", For: "to know whose account it is"},
			emailScope(),
			{Name: MailScope, Box: "Read, compose, send, and permanently delete all your email from Gmail",
				For: "to send mail through Gmail; Google has no smaller permission for that, and notices reads and deletes nothing"},
		},
		SameAccountOnly: true,
	}
}

// MailScope is the smallest scope that Gmail accepts for XOAUTH2.
const MailScope = "https://mail.google.com/"

func emailScope() Scope {
	return Scope{
		Name: "email", Also: []string{"https://www.googleapis.com/auth/userinfo.email"},
		Box: "See your primary Google Account email address", For: "to know the address that mail is sent from",
	}
}

// Microsoft's table for a tenant: a domain, an id, or "common". Endpoints and scopes:
// https://learn.microsoft.com/en-us/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
func Microsoft(tenant string) Provider {
	if tenant == "" {
		tenant = "common"
	}
	base := "https://login.microsoftonline.com/" + url.PathEscape(tenant) + "/oauth2/v2.0/"
	return Provider{
		Key: "microsoft", Name: "Microsoft",
		AuthURL:     base + "authorize",
		DeviceURL:   base + "devicecode",
		TokenURL:    base + "token",
		UserinfoURL: "https://graph.microsoft.com/oidc/userinfo",
		AccountURL:  "https://myapps.microsoft.com",
		// Only for localhost may the port differ from the registered address. There is no
		// prompt parameter: "consent" fails where only an administrator may consent, even
		// after that consent.
		RedirectHost: "localhost",
		Scopes: []Scope{
			{Name: "https://outlook.office.com/SMTP.Send", Also: []string{"SMTP.Send", "https://outlook.office365.com/SMTP.Send"},
				Box: "Send emails from your mailbox using SMTP AUTH", For: "to send mail through Microsoft 365"},
			{Name: "offline_access", Box: "Maintain access to data you have given it access to",
				For: "to go on sending without asking you each hour", Unlisted: true},
		},
		Identify: []Scope{
			{Name: "openid", Unlisted: true}, {Name: "email", Unlisted: true}, {Name: "profile", Unlisted: true},
		},
	}
}

// WithIMAP is the provider with the right to read the returns in a mailbox, too. Google's
// scope for mail has it already.
func (p Provider) WithIMAP() Provider {
	p.Scopes = slices.Clone(p.Scopes)
	if p.Key == "microsoft" {
		p.Scopes = append(p.Scopes, Scope{
			Name: "https://outlook.office.com/IMAP.AccessAsUser.All", Also: []string{"IMAP.AccessAsUser.All", "https://outlook.office365.com/IMAP.AccessAsUser.All"},
			Box: "Read and write access to your mail via IMAP", For: "to read the returns in the mailbox of [bounces]", Mailbox: true,
		})
		return p
	}
	for i := range p.Scopes {
		if p.Scopes[i].Name == MailScope {
			p.Scopes[i].Mailbox = true
			p.Scopes[i].For = "to send mail through Gmail, and to read the returns in the mailbox of [bounces]; Google has no smaller permission for that"
		}
	}
	return p
}

// login is the command to sign in.
func (p *Provider) login() string { return "notices " + p.Key + "-login" }

// redirect is where the browser comes back to.
func (p *Provider) redirect(port string) string {
	return "http://" + p.RedirectHost + ":" + port + p.RedirectPath
}

// requestedScopes lists the scopes of a sign-in.
func (c *Client) requestedScopes() []Scope {
	if c.Account != "" {
		return c.Provider.Scopes
	}
	return append(append([]Scope{}, c.Provider.Scopes...), c.Provider.Identify...)
}

func names(scopes []Scope) []string {
	list := make([]string, len(scopes))
	for i := range scopes {
		list[i] = scopes[i].Name
	}
	return list
}

// host is an endpoint's name for a person.
func host(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "the provider"
	}
	return strings.TrimSuffix(u.Host, ":443")
}

// missing lists the scopes that were asked for and not granted. granted is the scope field
// of the answer; without it, all were granted (RFC 6749 5.1).
func missing(asked []Scope, granted string, present bool) []Scope {
	if !present {
		return nil
	}
	have := strings.Fields(granted)
	return slices.DeleteFunc(slices.Clone(asked), func(s Scope) bool { return s.Unlisted || slices.ContainsFunc(have, s.is) })
}

// is reports whether a granted scope is this one, in any of its spellings.
func (s *Scope) is(granted string) bool {
	return strings.EqualFold(granted, s.Name) || slices.ContainsFunc(s.Also, func(other string) bool { return strings.EqualFold(granted, other) })
}
