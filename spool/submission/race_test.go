//go:build race

package submission

// mostMemory is in KiB. The race detector keeps several octets for each one.
const mostMemory = 400 << 10
