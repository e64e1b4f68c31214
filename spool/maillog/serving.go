package maillog

import (
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

// TurnedAway logs that a client was refused before it could log in.
func TurnedAway(l *Log, from, why string) { write(l, All, "turned-away", "from", from, "why", why) }

// SiteLimited logs that a site may hand in no more messages until then. It is logged once, not
// for each message that is refused.
func SiteLimited(l *Log, site, what string, until time.Time) {
	write(l, All, "site-limited", "site", site, "what", what, "until", until.UTC().Format(time.RFC3339))
}
