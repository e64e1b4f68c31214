package drop

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/maillog"
)

// What a run does at most about what others put there: names that it clears away, and how many
// times as many it looks at. If there are more, it picks at random, so that mail behind them is
// found soon.
const (
	clearLimit   = 10_000
	clearTime    = 300 * time.Millisecond // removing can cost a millisecond, on a busy disk
	clearAtLeast = 100
	visitFactor  = 5
)

// cleaner clears away what is not a message.
type cleaner struct {
	fs        fsys.FS
	log       *maillog.Log
	now       time.Time
	userNames map[uint32]string // empty: unknown
	logged    int               // names in the log
	limit     int
	time      time.Duration
	until     time.Time
	cleared   int
	kept      int // files that this and earlier runs moved to aside/; -1: not counted yet
}

// skip leaves a name alone, and logs why unless its user did it.
func (c *cleaner) skip(name string, err error) {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		c.logError(name, err)
	}
}

// foreign is clear for what has not been looked at.
func (c *cleaner) foreign(name, why string) {
	st, err := c.fs.Stat(path(name))
	if err != nil {
		c.skip(name, err)
		return
	}
	c.clear(name, st, why)
}

// enough: the rest of what is to be cleared away waits for the next run.
func (c *cleaner) enough() bool {
	return c.cleared >= c.limit || c.cleared >= clearAtLeast && time.Now().After(c.until)
}

// clear clears away what is not a message, until it is enough for this run: a file goes to
// aside/, what has no content is removed. Only its owner can move a folder that is not empty
// elsewhere; it gets a name that costs no more than its listing, and Check names it.
func (c *cleaner) clear(name string, st fsys.Info, why string) {
	if c.enough() {
		return
	}
	c.cleared++
	var err error
	switch {
	case st.Regular && c.mayKeep():
		c.moveAside(name, st.UID, why)
		return
	case st.Dir:
		err = c.fs.RemoveDir(path(name))
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
			if isMessageName([]byte(name)) {
				_ = c.fs.Rename(path(name), path("folder-"+string(spool.NewID(c.now)))) // or it stays
			}
			return
		}
	default:
		err = unlink(c.fs, name)
	}
	if err != nil {
		c.skip(name, err)
		return
	}
	c.logForeign(spool.Anomaly{Name: path(name), Why: why + c.fromUser(st.UID)})
}

// maxKept is how many files that others put into the drop are kept in aside/.
const maxKept = 100

// mayKeep counts one more.
func (c *cleaner) mayKeep() bool {
	if c.kept < 0 {
		c.kept = 0
		err := c.fs.List(asideDir, func(name []byte) bool {
			if bytes.HasPrefix(name, []byte(spool.FromDrop)) {
				c.kept++
			}
			return c.kept < maxKept
		})
		if ignoreMissing(err) != nil {
			c.kept = maxKept
		}
	}
	c.kept++
	return c.kept <= maxKept
}

// userName is a user's name; empty if it is unknown.
func (c *cleaner) userName(uid uint32) string {
	name, seen := c.userNames[uid]
	if !seen {
		name = lookUpUser(uid)
		c.userNames[uid] = name
	}
	return name
}

func (c *cleaner) fromUser(uid uint32) string {
	return ", from user " + cmp.Or(c.userName(uid), number(uid))
}

// maxLogged is how many files a run names in the log: a user can make very many.
const maxLogged = 20

// logError logs what went wrong with a name.
func (c *cleaner) logError(name string, err error) {
	if c.logged++; c.logged <= maxLogged {
		c.log.Trouble(path(name), err)
	}
}

func (c *cleaner) logForeign(a spool.Anomaly) {
	if c.logged++; c.logged <= maxLogged {
		c.log.Aside(a)
	}
}

// refuse moves a whole message that is not collected to aside/, where a person may look.
func (c *cleaner) refuse(name string, uid uint32, why string) {
	if !c.enough() {
		c.cleared++
		c.moveAside(name, uid, why)
	}
}

const asideDir = "aside"

// moveAside moves a name to aside/. If it cannot, that is no reason to stop.
func (c *cleaner) moveAside(name string, uid uint32, why string) {
	moved, err := c.renameAside(name, uid)
	if errors.Is(err, fs.ErrNotExist) {
		return // its user removed it meanwhile
	}
	why += c.fromUser(uid)
	if err != nil {
		c.logError(name, fmt.Errorf("%s, and cannot be moved to aside/: %w", why, err))
		return
	}
	c.logForeign(spool.Anomaly{Name: path(name), Moved: moved, Why: why})
}

// renameAside moves a file to a name in aside/ that is free and safe to show, whoever made
// up the old one.
func (c *cleaner) renameAside(name string, uid uint32) (moved string, err error) {
	moved = asideDir + "/" + spool.FromDrop + number(uid) + "-" + safeName(name)
	err = c.fs.Rename(path(name), moved)
	if errors.Is(err, fs.ErrNotExist) {
		if err = c.fs.Mkdir(asideDir, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			err = c.fs.Rename(path(name), moved)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		moved += "-" + string(spool.NewID(c.now))
		err = c.fs.Rename(path(name), moved)
	}
	return moved, err
}

func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '.' || r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), 100)]
}
