// Package google tests a complete sign-in of the real binary with other people's programs.
// npm's oidc-provider stands in for Google and Microsoft; provider/provider.mjs adds the
// pages that a person sees, a login and a consent page with a box for each permission.
// Debian's Chromium goes through them. Debian's Dovecot accepts the mail, asks the provider
// whether the token is valid for mail, and relays to a sink. tidy checks the pages. All of
// it runs on the loopback interface and in a temporary folder, and ends with the tests.
//
// The browser also opens the page and the mail of `notices report`.
//
// It is a module of its own because chromedp, which drives the browser, must not be in the
// program's go.mod. It needs what scripts/install-test-deps installs, and root, because
// Dovecot does. Screenshots of the last pages are kept in the folder that $SCREENSHOTS names.
package google
