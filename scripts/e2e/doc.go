// Package e2e tests the real binary with other people's mail servers: Server 1 is Debian's
// Postfix, with Dovecot for its passwords; Server 2 is Mailpit. Each test starts its own, on
// the loopback interface and in a temporary folder, and ends only those. Other people's
// parsers read the returns. Packages are installed in a copy of this machine
// (sandbox_test.go), which vanishes with its test.
//
// The tests have the build tag peers. They need what scripts/install-test-deps installs, and
// root, because Postfix does.
package e2e
