package drop

import (
	"fmt"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/intake"
)

// TestMostRecipients: as many as a message may have come through the drop.
func TestMostRecipients(t *testing.T) {
	disk := newDisk(t)
	r := intake.Request{Body: strings.NewReader(notice)}
	for i := range spool.MaxRecipients {
		r.Recipients = append(r.Recipients, fmt.Sprintf("%05d@%s.example.net", i, strings.Repeat("x", 60)))
	}
	id, err := handIn(disk.Open(nil), r)
	must(t, err)
	var log strings.Builder
	got := ""
	must(t, flush(disk.Open(nil), &log, func(id spool.ID, _ string) { got += string(id) }))
	if got != string(id) || len(disk.Names(asideDir)) > 0 {
		t.Errorf("sent %q, aside %q: %.500s", got, disk.Names(asideDir), &log)
	}
}
