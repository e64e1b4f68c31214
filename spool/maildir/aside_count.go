package maildir

import (
	"bytes"
	"context"

	"notices/spool"
)

// CountAside is how many messages and foreign files lie in aside/. A message and its
// sidecar are one. fromDrop: what other users of the machine put into the drop is counted
// apart, since it is no mail of ours. It costs one listing.
func (s *Store) CountAside(ctx context.Context) (n, fromDrop int, err error) {
	found := map[string]bool{}
	err = s.list(asideDir, func(name []byte) bool {
		if bytes.HasPrefix(name, []byte(spool.FromDrop)) {
			fromDrop++
			return ctx.Err() == nil
		}
		if parseName(name).kind != ignored {
			found[ownerAside(name)] = true
		}
		return ctx.Err() == nil
	})
	if err != nil {
		return 0, 0, err
	}
	return len(found), fromDrop, ctx.Err()
}

// ownerAside is the id of the message that a name in aside/ is of, or the name itself. A
// second one of a name has a number behind it, the sidecar's perhaps another than the
// body's: then they count as two.
func ownerAside(name []byte) string {
	if p := parseName(name); p.kind != foreign {
		return string(p.id)
	}
	if dot := bytes.LastIndexByte(name, '.'); dot > 0 {
		if p := parseName(name[:dot]); p.kind == sidecar {
			return string(p.id) + string(name[dot:])
		}
	}
	return string(name)
}
