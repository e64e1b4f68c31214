package app

import (
	"errors"
	"strings"
	"time"

	"notices/config"
)

// Leading takes the options that every command has, --config FILE and -v, off the front
// of args and returns the rest. It is for a command line that cobra does not read.
func (p *Program) Leading(args []string) []string {
	for len(args) > 0 {
		switch arg := args[0]; {
		case arg == "-v" || arg == "--verbose":
			p.Verbose = true
		case arg == "--config" && len(args) > 1:
			p.Config = args[1]
			args = args[1:]
		case strings.HasPrefix(arg, "--config="):
			p.Config = strings.TrimPrefix(arg, "--config=")
		default:
			return args
		}
		args = args[1:]
	}
	return args
}

// Duration is an option that reads what notices.toml calls a duration.
type Duration time.Duration

// Set is pflag's.
func (d *Duration) Set(s string) error {
	v, ok := config.ParseDuration(s)
	switch {
	case config.TooLong(s):
		return errors.New("that is too long: a duration is a hundred years at most")
	case !ok:
		return errors.New("a duration is a number with s, m, h or d, like 90s or 4h, or 0")
	}
	*d = Duration(v)
	return nil
}

func (d *Duration) String() string {
	if *d == 0 {
		return "0"
	}
	s := strings.Replace(time.Duration(*d).String(), "m0s", "m", 1)
	return strings.Replace(s, "h0m", "h", 1)
}

// Type is pflag's.
func (d *Duration) Type() string { return "DURATION" }
