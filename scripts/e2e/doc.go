// Package e2e runs the real binary against mail servers that others wrote: Debian's
// Postfix, with Dovecot checking its passwords, is Server 1; Mailpit is Server 2.
// Each test starts its own, on the loopback interface and in a temporary folder, and
// ends only what it started. Returns are read by parsers of others too. Packages are
// installed in a copy of this machine (sandbox_test.go), which vanishes with its test.
//
// The tests have the build tag peers, because they need what
// scripts/install-test-deps installs, and root, because Postfix does.
package e2e
