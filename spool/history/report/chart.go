package report

import "time"

// The chart has a bar for each day; of a longer period for each week, or each month.
const (
	maxBars   = 36
	maxMonths = 60
)

// chart puts the bars of the view. Of a long period it begins where anything is known.
func (v *View) chart(r *Report) {
	days := r.Days
	if len(days) > maxBars {
		for len(days) > 1 && days[0].Sent() == 0 {
			days = days[1:]
		}
	}
	if len(days) == 0 {
		return
	}
	first, last := noonOf(days[0].Day), noonOf(days[len(days)-1].Day)
	years := first.Year() != last.Year()
	switch {
	case len(days) <= maxBars:
		v.ChartUnit = "day"
		v.bars(days, func(day time.Time) (string, string) {
			return day.Format("Mon _2 Jan"), day.Format("Monday, 2 January 2006")
		})
	case len(days) <= maxBars*7:
		v.ChartUnit = "week"
		v.bars(days, func(day time.Time) (string, string) {
			monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
			label := monday.Format("_2 Jan")
			if years {
				label = monday.Format("_2 Jan 2006")
			}
			return label, "week of Monday, " + monday.Format("2 January 2006")
		})
	default:
		v.ChartUnit = "month"
		v.bars(days, func(day time.Time) (string, string) { return day.Format("Jan 2006"), day.Format("January 2006") })
	}
	if len(v.Chart) > maxMonths {
		v.Chart = v.Chart[len(v.Chart)-maxMonths:]
		v.ChartMore = "Only the last five years are shown."
	}
	v.scale()
}

// bars adds up days that have the same name.
func (v *View) bars(days []Day, name func(time.Time) (label, long string)) {
	for _, d := range days {
		label, long := name(noonOf(d.Day))
		if n := len(v.Chart); n == 0 || v.Chart[n-1].Long != long {
			v.Chart = append(v.Chart, Bar{Label: label, Long: long})
		}
		c := &v.Chart[len(v.Chart)-1].Counts
		c.Delivered += d.Delivered
		c.Returned += d.Returned
		c.Bounced += d.Bounced
		c.failed += d.failed
	}
}

func (v *View) scale() {
	most := 1
	for i := range v.Chart {
		most = max(most, v.Chart[i].Sent())
	}
	for i := range v.Chart {
		b := &v.Chart[i]
		b.CameBackShare = share(b.CameBack(), most)
		b.DeliveredShare = min(share(b.Delivered, most), 1000-b.CameBackShare)
	}
}

func noonOf(day string) time.Time {
	t, _ := time.Parse(time.DateOnly, day) // our own
	return t.Add(12 * time.Hour)
}
