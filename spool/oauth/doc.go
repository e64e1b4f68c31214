// Package oauth signs in with Google and Microsoft (OAuth 2.0, RFC 6749) and keeps
// the account's tokens fresh for those who send mail with them. How a token goes to
// a mail server (XOAUTH2) is smtpclient's business, which declares the TokenSource that
// Source is.
//
// The spine: provider.go (what is special about Google and Microsoft), client.go (the
// registered client, HTTP), login.go (browser or code, exchange, checks), loopback.go (how
// the answer comes back), store.go (one small value of spool.State), source.go (a token
// that works, renewed once however many want it), errors.go (must a person do something?).
//
// # Where the token is kept
//
// In the spool's State under "token-google" or "token-microsoft": a file of mode 0600,
// replaced atomically and durably, and in a spool that many machines share the same
// value for all of them. A lock on a file would keep eight flushes from refreshing at
// once on one machine; so that it holds on many as well, the right to refresh is a
// lease inside the value. A process that dies in mid-refresh leaves it for half a
// minute at most, and those who wait find either the new token or a free lease.
//
// # Libraries
//
// golang.org/x/oauth2 does PKCE, exchange, refresh, device code and the assertion of a
// service account (its jwt package). Its google package is left out: for one JSON file
// it brings regular expressions that are compiled before main, which every enqueue
// would pay for. Three things it leaves to its users are done here: a time limit, no
// redirects for requests that carry secrets, and an answer that is looked at before it
// is believed. Its errors quote whole answers, so none of them is passed on: errors.go
// says in its own words what happened.
package oauth
