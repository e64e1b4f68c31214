// Package smtpreply decides what a reply of an SMTP server means (RFC 5321 section 4.2): for a
// recipient, for the message or for the server. Read reads a reply of bounded length, Classify
// judges it, and Judge turns it into a text that a person may see: secrets are masked, and it is one
// printable line of at most 500 octets.
//
// Only Classify decides what a reply means. Its rules are a table (rules.go) of codes and phrases
// (words.go), which are tried in order. testdata/replies.tsv has the replies that they are made for,
// and where each was documented or seen; testdata/neighbours.txt has variations of them.
package smtpreply
