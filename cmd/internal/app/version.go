package app

import (
	"fmt"
	"runtime"
)

// Version is the number of this version. It stands here alone: scripts/version reads this
// line for the packages, and scripts/build has the linker add the commit to it. What is new
// in a version is told in man/notices-changes.7.
var Version = "0.5.0"

// VersionText is the name of the program and its version, with the Go that built it.
func VersionText() string {
	return fmt.Sprintf("notices %s (%s %s/%s)", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
