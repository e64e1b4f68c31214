package maillog

import (
	"fmt"
	"time"

	"notices/spool"
)

// Notice is an event of level Warnings, to be put into words for a person.
type Notice struct {
	Event   string        // as in the log: "paused"; or "log": an error of the log itself
	ID      spool.ID      // interrupted, gave-up, held, stuck, and trouble with one message
	What    string        // paused: the server; aside: the file; trouble: what went wrong
	Why     string        // a reply, a reason or an error; may be empty
	Outcome spool.Outcome // paused
	Moved   string        // aside: where to
	At      time.Time     // interrupted: when the attempt began
}

// notify passes n to Tell.
func notify(l *Log, n Notice) {
	if l != nil && l.tell != nil {
		l.tell(n)
	}
}

// String is n in sentences, with what a person can do about it.
func (n Notice) String() string {
	switch n.Event {
	case "paused":
		return fmt.Sprintf("server %s is not accepting mail: %s", n.What, n.Why)
	case "interrupted":
		return fmt.Sprintf("an earlier flush was killed while it sent message %s (begun %s): it may have arrived, and is sent again",
			n.ID, n.At.Local().Format("2006-01-02 15:04"))
	case "held":
		return fmt.Sprintf("message %s is held: %s", n.ID, n.Why)
	case "gave-up":
		return fmt.Sprintf("message %s was moved to failed/: %s; to see it: notices show %s; to send it again: notices retry %s",
			n.ID, n.Why, n.ID, n.ID)
	case "aside":
		return fmt.Sprintf("%s was not understood and was moved to %s: %s; look at it; if it is mail, queue it with notices import FILE; then remove it",
			n.What, n.Moved, n.Why)
	}
	switch {
	case n.ID != "":
		return fmt.Sprintf("message %s: %s", n.ID, n.Why)
	case n.Why == "":
		return n.What
	}
	return n.What + ": " + n.Why
}
