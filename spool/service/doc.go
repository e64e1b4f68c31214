// Package service keeps the register of sites of a hosted service: who may hand in mail to
// `notices serve`, under which name and with which key, and what each has used.
//
// It is kept in the spool's State, so that it is the same for a folder and for a database, for
// one host and for many. A value per site would make the list of thousands of sites slow, and
// one value for all would make each change slow. So the sites are spread over pages values by a
// hash of their ids: "sites-00" and so on. What a site used is in pages of its own,
// "site-use-00" and so on, which are written often and not synced.
//
// # Keys
//
// A key is 32 random octets, written in 52 letters and digits so that it is one word in every
// shell, mail program and configuration. It is drawn and not chosen: nobody can guess one of
// 2^256 keys, whatever a guess costs. So what is stored is its SHA-256 and no slow hash as for
// passwords, which would make each login expensive for the server, and thus an attack, without
// making a stolen register more useful to anybody.
//
// A site's key can be rotated: the old one works for OldKeyTime more. Revoking a site ends all
// its keys. Its id can be added anew, with another key.
package service
