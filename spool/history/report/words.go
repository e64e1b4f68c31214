package report

import (
	"notices/spool/printable"
	"strconv"
	"time"
)

// Summary is the report in a sentence or two: "131 notices were sent, 2 came back."
func (r *Report) Summary() string {
	t := &r.Totals
	text := notices(t.Sent(), "was", "were") + " sent"
	switch {
	case t.Sent() == 0:
		text = "No notices were sent."
	case t.CameBack() == 0 && t.Sent() == 1:
		text += ", and it did not come back."
	case t.CameBack() == 0:
		text += ", and no notice came back."
	default:
		text += ", " + printable.Number(t.CameBack()) + " came back."
	}
	switch t.Waiting {
	case 0:
		return text
	case 1:
		return text + " 1 notice still waits to be sent."
	}
	return text + " " + printable.Number(t.Waiting) + " still wait to be sent."
}

// Subject is the report in the subject of a mail:
// "Springfield Public Library: 131 notices sent, 2 came back (23 to 29 November)".
func (r *Report) Subject(site string, zone *time.Location) string {
	t := &r.Totals
	text := notices(t.Sent(), "", "") + " sent"
	if n := t.CameBack(); n > 0 {
		text += ", " + printable.Number(n) + " came back"
	}
	if site != "" {
		text = site + ": " + text
	}
	return text + " (" + period(r.Since, r.Until, zone, false) + ")"
}

// notices is "1 notice was" or "131 notices were".
func notices(n int, one, many string) string {
	text, verb := printable.Number(n)+" notices", many
	if n == 1 {
		text, verb = "1 notice", one
	}
	if verb == "" {
		return text
	}
	return text + " " + verb
}

// period is from a day to a day: "23 to 29 November", "28 November to 4 December 2026".
func period(since, until time.Time, zone *time.Location, year bool) string {
	from, to := since.In(zone), until.Add(-time.Second).In(zone)
	years := from.Year() != to.Year()
	layout := "2 January"
	if year || years {
		layout += " 2006"
	}
	end := to.Format(layout)
	switch {
	case dayOf(from).Equal(dayOf(to)):
		return end
	case years:
		return from.Format(layout) + " to " + end
	case from.Month() != to.Month():
		return from.Format("2 January") + " to " + end
	}
	return from.Format("2") + " to " + end
}

// moment is a time for a person: "Monday, 23 November 2026, 07:00".
func moment(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("Monday, 2 January 2006, 15:04")
}

// Grouped is a number with its thousands set apart: 10,000.
func Grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// span is a length of time in its two biggest units: "1 hour 20 minutes".
func span(d time.Duration) string {
	if d < time.Minute {
		return "less than a minute"
	}
	units := []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}}
	for i, u := range units {
		n := d / u.size
		if n == 0 {
			continue
		}
		text := printable.Count(int(n), u.name)
		if i+1 < len(units) && u.name != "minute" {
			if rest := (d % u.size) / units[i+1].size; rest > 0 {
				text += " " + printable.Count(int(rest), units[i+1].name)
			}
		}
		return text
	}
	return ""
}
