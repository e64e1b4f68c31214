package man_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maillog"
)

// TestLogEvents: notices-log(5) has every line that package maillog writes, with
// all its keys, below the heading of its level, and no other.
func TestLogEvents(t *testing.T) {
	lines := page(t, "notices-log.5")
	trouble := append(logItems(section(lines, "WHAT NEEDS A PERSON")), "")
	everything := append(trouble, logItems(section(lines, "WHAT IS GOOD TO KNOW"))...)
	for level, documented := range map[maillog.Level][]string{maillog.Warnings: trouble, maillog.All: everything} {
		written := append(writeEveryEvent(level), "")
		slices.Sort(written)
		slices.Sort(documented)
		if written, documented = slices.Compact(written), slices.Compact(documented); !slices.Equal(written, documented) {
			t.Errorf("notices-log(5) documents\n%s\nthe log writes\n%s", strings.Join(documented, "\n"), strings.Join(written, "\n"))
		}
	}
}

// logItems are an event's word and its keys, sorted.
func logItems(lines []string) []string {
	var items []string
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, ".It Cm "); ok {
			words := strings.Fields(strings.Replace(rest, "Op ", "", 1))
			slices.Sort(words[1:])
			items = append(items, strings.Join(words, " "))
		}
	}
	return items
}

// writeEveryEvent calls every method of a log with every argument filled in, and
// returns the lines without their values.
func writeEveryEvent(level maillog.Level) []string {
	var out bytes.Buffer
	log := maillog.New(&out, level)
	for _, class := range []spool.Class{spool.Delivered, spool.Failed, spool.Deferred, spool.Uncertain} {
		o := filled[spool.Outcome]()
		o.Class = class
		next := filled[time.Time]()
		if class == spool.Delivered || class == spool.Failed {
			next = time.Time{} // as the engine has it
		}
		log.Answer(&spool.Envelope{ID: "x", Recipients: []string{"x"}}, 1, spool.Answer{Outcome: o, To: []int{0}}, next)
	}
	log.Aside(spool.Anomaly{Name: "x", Why: "x"})
	maillog.LoginFailed(log, "x", "x")
	maillog.TurnedAway(log, "x", "x")
	maillog.Brokered(log, "x", "x", 1, errors.New("x"))
	maillog.SiteLimited(log, "x", "x", filled[time.Time]())
	maillog.Buffered(log, "x", "x")
	maillog.Moved(log, 1, "x")
	methods := reflect.ValueOf(log)
	for i := range methods.NumMethod() {
		method := methods.Type().Method(i)
		if method.Name == "Close" || method.Name == "Answer" {
			continue
		}
		args := make([]reflect.Value, method.Type.NumIn()-1)
		for k := range args {
			args[k] = reflect.New(method.Type.In(k + 1)).Elem()
			fill(args[k])
		}
		methods.Method(i).Call(args)
	}
	var found []string
	for line := range strings.Lines(out.String()) {
		words := strings.Fields(line)
		kept := words[:1]
		for _, word := range words[1:] {
			if key, _, ok := strings.Cut(word, "="); ok {
				kept = append(kept, key)
			}
		}
		slices.Sort(kept[1:])
		found = append(found, strings.Join(kept, " "))
	}
	return found
}

func filled[T any]() T {
	var v T
	fill(reflect.ValueOf(&v).Elem())
	return v
}

// fill puts something into every part of v.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1_760_000_000, 0)))
	case v.Type() == reflect.TypeFor[error]():
		v.Set(reflect.ValueOf(errors.New("x")))
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.CanInt():
		v.SetInt(1)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}
