//go:build !linux

package fakesite

import (
	"errors"
	"os"
)

// OpenTerminal opens a pseudo-terminal.
func OpenTerminal(uint16) (control, tty *os.File, err error) {
	return nil, nil, errors.New("only the tests on Linux open terminals of their own")
}
