// Package service keeps the register of sites of a hosted service: who may hand in mail to
// `notices serve`, under which name and with which key, and what each has used.
//
// It is kept in the spool's State, so that it works the same for a folder and for a database, for
// one host and for many. With a value for each site, listing thousands of sites would be slow; with
// one value for all, each change would be. So the sites are spread over a fixed number of values, the
// pages, by a hash of their ids: "sites-00" and so on. What a site used is in pages of its own,
// "site-use-00" and so on, which are written often and not synced.
//
// # Keys
//
// A key is 32 random octets, written in 52 letters and digits so that it is one word in every
// shell, mail program and configuration. Nobody can guess one of 2^256 random keys, whatever a
// guess costs. So its SHA-256 is stored. A slow hash, as passwords need it, would protect a stolen
// register no better, and each login would cost the server so much that it could be attacked with
// logins.
//
// A site's key can be rotated: the old one works for OldKeyTime more. Revoking a site ends all
// its keys. Its id can be added anew, with another key.
package service
