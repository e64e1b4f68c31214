// Package oauth signs in with Google and Microsoft (OAuth 2.0, RFC 6749) and keeps
// the account's tokens fresh for those who send mail with them. How a token goes to
// a mail server (XOAUTH2) is smtpclient's business, which declares the TokenSource that
// Source is.
//
// The files, in the order of an account's life:
//
//	provider.go  what is special about Google and about Microsoft: one table each
//	client.go    the registered client: id, secret, HTTP with a time limit
//	login.go     the sign-in: browser, answer, exchange, checks, store
//	loopback.go  the web server on 127.0.0.1 that the browser comes back to
//	paste.go     the same for a machine without a browser
//	device.go    the same by a code that is typed in elsewhere (RFC 8628)
//	scopes.go    what was granted against what was asked for
//	identity.go  whose account it is
//	page.go      the page that the browser ends on
//	store.go     what is kept: one small value of spool.State
//	source.go    a token that works, refreshed once however many want it
//	service.go   a service account instead of a person
//	logout.go    the end
//	errors.go    what went wrong: does it pass, or must a person do something?
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
