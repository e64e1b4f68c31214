package mailbox

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"notices/spool/printable"
)

// folder is the one that is open.
type folder struct {
	*session
	name        string
	messages    uint32
	uidValidity uint32
	uidNext     uint32 // 0: not known
}

// choose opens a folder.
func (s *session) choose(ctx context.Context, name string, peek bool) (*folder, error) {
	f := &folder{session: s, name: name}
	err := s.do(ctx, "opening the folder "+printable.Quote(name, 100), answerOctets, func() error {
		found, err := s.client.Select(name, &imap.SelectOptions{ReadOnly: peek}).Wait()
		f.messages, f.uidValidity, f.uidNext = found.NumMessages, found.UIDValidity, uint32(found.UIDNext)
		return err
	})
	if e := (*Error)(nil); errors.As(err, &e) && e.Reason == Refused {
		e.Reason = NoFolder
	}
	return f, err
}

// window is how many messages are searched at once, so that the answer has a bound.
const window = 10_000

// search lists the messages above a UID, all of them or those that are not seen.
func (f *folder) search(ctx context.Context, above uint32, unseen bool) ([]uint32, error) {
	var uids []uint32
	for from := uint32(1); from <= f.messages; from += window {
		criteria := &imap.SearchCriteria{SeqNum: []imap.SeqSet{{{Start: from, Stop: min(from+window-1, f.messages)}}}}
		if above > 0 {
			criteria.UID = []imap.UIDSet{{{Start: imap.UID(above) + 1}}} // to the last one: *
		}
		if unseen {
			criteria.NotFlag = []imap.Flag{imap.FlagSeen}
		}
		err := f.do(ctx, "searching", answerOctets, func() error {
			found, err := f.client.UIDSearch(criteria, nil).Wait()
			if err != nil {
				return err
			}
			list, _ := found.All.(imap.UIDSet)
			uids, err = appendUIDs(uids, list, above)
			return err
		})
		if err != nil {
			return nil, err
		}
		if from > f.messages-min(f.messages, window) { // from would overflow
			break
		}
	}
	slices.Sort(uids)
	return slices.Compact(uids), nil
}

// appendUIDs takes the UIDs of one answer. n:* always has the last message, whatever its UID.
func appendUIDs(to []uint32, list imap.UIDSet, above uint32) ([]uint32, error) {
	room := window
	for _, r := range list {
		if r.Start == 0 || r.Stop < r.Start || uint32(r.Stop-r.Start) >= uint32(room) {
			return nil, errFlood
		}
		for uid := r.Start; ; uid++ {
			if room--; uint32(uid) > above {
				to = append(to, uint32(uid))
			}
			if uid == r.Stop {
				break
			}
		}
	}
	return to, nil
}

func uidSet(uids []uint32) imap.UIDSet {
	var set imap.UIDSet
	for _, uid := range uids {
		set.AddNum(imap.UID(uid))
	}
	return set
}

// fetch hands the messages to take, one after another, and returns the UIDs of those that it
// took. missing are messages that the server has and did not hand out. The messages stay unseen.
//
// The library finds what it asked for by a UID that comes before the message. Some servers say it
// behind; what did not come is asked for once more by its number. Numbers do not change between a
// SEARCH and a FETCH that follows it (RFC 9051 section 7.5.1).
func (f *folder) fetch(ctx context.Context, uids []uint32, take func(message []byte) error) (taken, missing []uint32, err error) {
	taken, err = f.fetchSome(ctx, uidSet(uids), uids, take)
	if err != nil || len(taken) == len(uids) {
		return taken, nil, err
	}
	missing = without(uids, taken)
	numbers, err := f.numbers(ctx, missing)
	if err != nil || len(numbers) == 0 { // somebody removed them
		return taken, nil, err
	}
	more, err := f.fetchSome(ctx, imap.SeqSetNum(numbers...), missing, take)
	if err != nil || len(more) == len(numbers) {
		return append(taken, more...), nil, err
	}
	return append(taken, more...), without(missing, more), nil
}

func without(list, some []uint32) []uint32 {
	return slices.DeleteFunc(slices.Clone(list), func(uid uint32) bool { return slices.Contains(some, uid) })
}

// numbers are the message numbers of UIDs, of those that are still there.
func (f *folder) numbers(ctx context.Context, uids []uint32) (numbers []uint32, err error) {
	err = f.do(ctx, "searching", answerOctets, func() error {
		found, err := f.client.Search(&imap.SearchCriteria{UID: []imap.UIDSet{uidSet(uids)}}, nil).Wait()
		if err != nil {
			return err
		}
		list, _ := found.All.(imap.SeqSet)
		for _, r := range list {
			if r.Start == 0 || r.Stop < r.Start || r.Stop-r.Start >= window || len(numbers) > len(uids) {
				return errFlood
			}
			for n := r.Start; ; n++ {
				if numbers = append(numbers, n); n == r.Stop {
					break
				}
			}
		}
		return nil
	})
	return numbers, err
}

// fetchSome fetches a set, and takes those messages of it that are wanted.
func (f *folder) fetchSome(ctx context.Context, set imap.NumSet, wanted []uint32, take func(message []byte) error) (taken []uint32, err error) {
	body := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: MaxMessage}}
	var ended error // by take
	err = f.do(ctx, "reading the mail", fetchOctets, func() error {
		cmd := f.client.Fetch(set, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{body}})
		for m := cmd.Next(); m != nil; m = cmd.Next() {
			uid, message, err := readMessage(m)
			if err != nil {
				f.conn.Close()
				return err
			}
			f.goOn(fetchOctets)
			if ended != nil || len(message) == 0 || !slices.Contains(wanted, uid) || slices.Contains(taken, uid) {
				continue
			}
			if ended = take(message); ended == nil {
				taken = append(taken, uid)
			} else {
				f.conn.Close()
			}
		}
		return cmd.Close()
	})
	switch {
	case f.timeUp.Load():
		return nil, err
	case ended != nil:
		return nil, ended
	}
	return taken, err
}

// readMessage reads a message. After an error nothing more may be asked of m: it would read on
// while the library does.
func readMessage(m *imapclient.FetchMessageData) (uid uint32, message []byte, err error) {
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			uid = uint32(item.UID)
		case imapclient.FetchItemDataBodySection:
			if item.Literal != nil {
				message = make([]byte, max(0, min(item.Literal.Size(), MaxMessage)))
				if _, err := io.ReadFull(item.Literal, message); err != nil {
					return 0, nil, err
				}
			}
		}
	}
	return uid, message, nil
}

// mark flags messages as seen, and moves them.
func (f *folder) mark(ctx context.Context, uids []uint32, moveTo string) error {
	if len(uids) == 0 {
		return nil
	}
	set := uidSet(uids)
	if err := f.flag(ctx, set, imap.FlagSeen); err != nil || moveTo == "" {
		return err
	}
	err := f.move(ctx, set, moveTo)
	var said *imap.Error
	if errors.As(err, &said) && (said.Code == imap.ResponseCodeTryCreate || said.Code == imap.ResponseCodeNonExistent) {
		if err = f.create(ctx, moveTo); err == nil {
			err = f.move(ctx, set, moveTo)
		}
	}
	return err
}

func (f *folder) flag(ctx context.Context, set imap.UIDSet, flags ...imap.Flag) error {
	return f.do(ctx, "flagging messages in "+printable.Quote(f.name, 100), answerOctets, func() error {
		return f.client.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: flags}, nil).Close()
	})
}

func (f *folder) create(ctx context.Context, name string) error {
	return f.do(ctx, stepMake+printable.Quote(name, 100), answerOctets, func() error {
		err := f.client.Create(name, nil).Wait()
		if err == nil {
			_ = f.client.Subscribe(name).Wait() // so that mail programs show it; not all servers know it
		}
		return err
	})
}

// move moves messages. A server without MOVE (RFC 6851) copies them; then only these are
// removed (UIDPLUS, RFC 4315), or else marked as deleted: an EXPUNGE would remove what others
// have marked, too. The library's own substitute removes them even if they were not copied.
func (f *folder) move(ctx context.Context, set imap.UIDSet, to string) error {
	step := stepMove + printable.Quote(to, 100)
	caps := f.client.Caps()
	if caps.Has(imap.CapMove) {
		return f.do(ctx, step, answerOctets, func() error {
			_, err := f.client.Move(set, to).Wait()
			return err
		})
	}
	err := f.do(ctx, step, answerOctets, func() error {
		_, err := f.client.Copy(set, to).Wait()
		return err
	})
	if err == nil {
		err = f.flag(ctx, set, imap.FlagDeleted)
	}
	if err != nil || !caps.Has(imap.CapUIDPlus) {
		return err
	}
	return f.do(ctx, step, answerOctets, func() error { return f.client.UIDExpunge(set).Close() })
}
