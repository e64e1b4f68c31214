package maillog

import (
	"strconv"
	"time"

	"notices/spool/printable"
)

// The events of `notices serve` that are no message's. They are functions because Log has as
// many methods as a type may have.

// LoginFailed logs that a client of that address gave a wrong key, or the name of a site that is
// not known. site is what it said.
func LoginFailed(l *Log, site, from string) {
	write(l, All, "login-failed", "site", printable.Short(site, 100), "from", from)
}

// TurnedAway logs that a client was refused before it could log in. It is not logged for each
// connection.
func TurnedAway(l *Log, from, why string) { write(l, All, "turned-away", "from", from, "why", why) }

// SiteLimited logs that a site may hand in no more messages until then. It is logged once, not
// for each message that is refused.
func SiteLimited(l *Log, site, what string, until time.Time) {
	write(l, All, "site-limited", "site", site, "what", what, "until", until.UTC().Format(time.RFC3339))
}

// Brokered logs a call that a site made of the broker: what for ("google token"), and with which
// status it was answered. err is why the provider could not be asked; nil: it was.
func Brokered(l *Log, site, call string, status int, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	write(l, All, "brokered", "site", site, "call", call, "status", strconv.Itoa(status), "error?", why)
}
