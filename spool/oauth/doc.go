// Package oauth signs in with Google and Microsoft (OAuth 2.0, RFC 6749) and keeps the
// account's tokens fresh for sending mail. smtpclient sends a token to a mail server
// (XOAUTH2), and declares the TokenSource that Source implements.
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
// value for all of them. A file lock would keep eight flushes of one machine from
// refreshing at once; so that it works for many machines, the right to refresh is a lease
// inside the value. If a process dies while it refreshes, its lease ends within half a
// minute. The others wait, and find either the new token or a free lease.
//
// # Libraries
//
// golang.org/x/oauth2 does PKCE, exchange, refresh, device code and the assertion of a
// service account (its jwt package). Its google package is left out: for one JSON file
// it brings regular expressions that are compiled before main, which every enqueue
// would pay for. Three things it leaves to its users are done here: a time limit, no
// redirects for requests that carry secrets, and a check of each answer. Its errors quote
// whole answers, so none of them is passed on: errors.go words them anew.
package oauth
