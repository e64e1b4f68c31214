// Package document is notices.toml as a text: it parses the text into plain maps, says in
// plain words why a text is not TOML, finds the line that a key is on, and changes a key
// while all other lines stay as they are. It does not know which keys there are: package
// config does.
package document
