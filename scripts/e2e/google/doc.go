// Package google runs the real binary through a whole sign-in with parts that others
// wrote: npm's oidc-provider plays Google and Microsoft (provider/provider.mjs adds the
// pages that a person sees: a login, and a consent page with a box for each permission),
// Debian's Chromium is driven through them, and Debian's Dovecot takes the mail, asks the
// provider whether the token is good and for mail, and relays on to a sink. Pages are
// checked by tidy. All of it is on the loopback interface and in a temporary folder, and
// what was started is ended.
//
// It is a module of its own: chromedp, which drives the browser, is for these tests alone
// and must not stand in the program's go.mod. It needs what scripts/install-test-deps
// installs, and root, because Dovecot does. Screenshots of the last pages are kept in the
// folder that $SCREENSHOTS names.
package google
