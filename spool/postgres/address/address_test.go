package address_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"notices/spool/postgres/address"
)

// TestHide: an error of the server that has the password in it does not show it, and stays the
// error that it is.
func TestHide(t *testing.T) {
	err := address.Hide(fmt.Errorf("%w: no user with sesame", fs.ErrPermission), "sesame")
	if got := err.Error(); strings.Contains(got, "sesame") || !strings.Contains(got, "with ***") || !errors.Is(err, fs.ErrPermission) {
		t.Error(got)
	}
}
