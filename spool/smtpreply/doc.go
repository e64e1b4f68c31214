// Package smtpreply says what a reply of an SMTP server means: for a recipient, for the message,
// for the server (RFC 5321 section 4.2). It reads a reply, bounded, from a connection (Read), judges
// it (Classify), and makes of it what may be shown to a person (Judge): secrets masked, one
// printable line of at most 500 octets.
//
// Classify is the one place that says what a reply means. Its rules are a table (rules.go) of codes
// and of phrases (words.go), tried in order. The replies that they are made for, with where each was
// documented or seen, are in testdata/replies.tsv; variations of them are in testdata/neighbours.txt.
package smtpreply
