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
	_, err := fmt.Fprintln(p.Stdout, VersionText())
	return err
}

// VersionText is what the program calls itself, with the Go that built it.
func VersionText() string {
	return fmt.Sprintf("notices %s (%s %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
