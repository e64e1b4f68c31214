package submit

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is set by the build (-ldflags "-X notices/cmd/internal/submit.Version=...");
// else the build's own information has it.
var Version string

// PrintVersion is `notices version`.
func (p *Program) PrintVersion() error {
	_, err := fmt.Fprintf(p.Stdout, "notices %s (%s %s/%s)\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func versionText() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
