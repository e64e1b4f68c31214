//go:build !race

package submission

// mostMemory is what a thousand idle sessions may take, in KiB.
const mostMemory = 60 << 10
