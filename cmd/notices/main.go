// Command notices queues, sends and returns a site's e-mail notices. It is thin:
// every command is one file with an options struct and a function that does the
// work on what it is given, and wire.go (read it first) makes the objects of the
// packages below out of the config.
//
// Start-up is a feature: an enqueue is a process a message, and most of its time
// is the start. So nothing here, and nothing in what is linked, does work before
// main: no package-level tables, no regular expressions, no init functions; only
// the command that was called is built; and nothing is looked up, read or started
// that the command does not need.
package main

import (
	"os"

	"notices/cmd/internal/app"
)

func main() {
	os.Exit(newCLI().run(app.Arguments(os.Args)))
}
