module notices

go 1.26.0

require (
	github.com/BurntSushi/toml v1.6.0 // the configuration; config alone
	github.com/coreos/go-systemd/v22 v22.7.0 // sockets of systemd, and what it is told; serving. Only the packages activation and daemon, which need no others
	// IMAP, to read the mailbox of late returns; mailbox. v2 though it is a beta: it is what its author
	// develops, and streams literals; v1 reads them into memory, and pulls in old libraries.
	github.com/emersion/go-imap/v2 v2.0.0-beta.8
	github.com/emersion/go-message v0.18.2 // header fields and transfer encodings of returns that other servers make; returns
	// DKIM signatures, RSA and Ed25519, with the body streamed; dkim alone. It needs golang.org/x/crypto for nothing but a name.
	github.com/emersion/go-msgauth v0.7.0
	github.com/emersion/go-sasl v0.0.0-20241020182733-b788ff22d5a6 // AUTH of the test server; smtptest
	github.com/emersion/go-smtp v0.26.0 // the server side, which tests and the demo talk to; smtptest
	github.com/jackc/pgx/v5 v5.12.0 // PostgreSQL, and its pool of connections; postgres alone
	github.com/mattn/go-runewidth v0.0.31 // how many columns of a terminal text takes; cmd alone
	github.com/rogpeppe/go-internal v1.16.0 // testscript: user stories with the real binary; tests
	github.com/spf13/cobra v1.10.2 // the command line; cmd alone
	github.com/spf13/pflag v1.1.0 // cobra's flags
	github.com/xdg-go/scram v1.4.0 // AUTH SCRAM-SHA-256; smtpclient and smtptest
	golang.org/x/net v0.62.0 // idna: the xn-- form of domains; netutil: so many connections of a listener at once; recode and serving
	golang.org/x/oauth2 v0.38.0 // token exchange, PKCE, device code, service accounts; oauth alone
	golang.org/x/sync v0.25.0 // errgroup: many at once, so many at a time; cmd
	golang.org/x/sys v0.50.0 // renameat2, flock, fallocate, getdents, and what macOS and FreeBSD have instead; fsys, cmd
	golang.org/x/term v0.48.0 // is it a terminal, and how wide; cmd
	pgregory.net/rapid v1.3.0 // model and property tests; tests
)

require (
	github.com/clipperhouse/uax29/v2 v2.2.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/xdg-go/stringprep v1.0.4 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/text v0.44.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
)
