package term

import (
	"golang.org/x/sys/unix"
)

// The requests of tcgetattr(3) and tcsetattr(3).
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)
