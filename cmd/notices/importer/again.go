package importer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/intake"
)

// againName is the value of the spool that has the last import --again that did not queue
// all it was to queue. A repeat of its command may be a new wish (a job that is to send the
// same mail each day), so that it is gone on with only when told to.
const againName = "import-again"

type againRun struct {
	Name string    `json:"name,omitempty"` // of intake.Again, in hexadecimal
	At   time.Time `json:"at,omitzero"`    // when it began
}

// again names the import, if it is one again: anew, or as the interrupted one. It is
// remembered before anything is queued under that name.
func (m *importing) again(ctx context.Context, state spool.State) (*intake.Again, error) {
	if !m.o.Again {
		return nil, nil
	}
	name := new(intake.Again)
	if m.o.Continue {
		last, err := spool.LoadState[againRun](ctx, state, againName)
		if err != nil {
			return nil, err
		}
		n, err := hex.Decode(name[:], []byte(last.Name))
		if err != nil || n != len(name) || m.p.Now().Sub(last.At) > notesKept {
			return nil, app.Fail(app.ExitUnknown, "no import --again was interrupted; without --continue all is queued again")
		}
		return name, nil
	}
	if _, err := rand.Read(name[:]); err != nil {
		return nil, err
	}
	if m.o.DryRun {
		return name, nil
	}
	return name, spool.UpdateState(ctx, state, againName, true, func(r *againRun) error {
		*r = againRun{Name: hex.EncodeToString(name[:]), At: m.p.Second()}
		return nil
	})
}

// complete forgets an import --again that queued everything.
func (m *importing) complete(ctx context.Context, state spool.State) error {
	if !m.o.Again || m.o.DryRun {
		return nil
	}
	return state.Update(context.WithoutCancel(ctx), againName, true, func([]byte) ([]byte, error) { return nil, nil })
}
