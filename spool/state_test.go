package spool

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// values is a State that holds what it is given.
type values map[string][]byte

var errUnreadable = errors.New("input/output error")

func (v values) Load(_ context.Context, name string) ([]byte, error) {
	if name == "unreadable" {
		return nil, errUnreadable
	}
	return v[name], nil
}

func (v values) Update(_ context.Context, name string, _ bool, change func([]byte) ([]byte, error)) (err error) {
	v[name], err = change(v[name])
	return err
}

// TestLenient: a program that only shows values is not stopped by one that cannot be read,
// but reports it; one that works with them gets an error. No part of a value is used.
func TestLenient(t *testing.T) {
	ctx := context.Background()
	kept := values{"whole": []byte(`{"sent":3}`), "torn": []byte(`{"sent":3,`), "other": []byte(`{"sent":3,"deferred":"x"}`)}
	var reported []string
	lenient := Lenient(kept, func(name string, err error) {
		if err == nil {
			t.Error(name)
		}
		reported = append(reported, name)
	})
	for _, name := range []string{"whole", "none", "torn", "other", "unreadable"} {
		want := Tally{}
		if name == "whole" {
			want.Sent = 3
		}
		got, err := LoadState[Tally](ctx, lenient, name)
		if got != want || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		got, err = LoadState[Tally](ctx, kept, name)
		if bad := name != "whole" && name != "none"; got != want || (err != nil) != bad {
			t.Errorf("%s, not lenient: %+v, %v", name, got, err)
		}
	}
	if !slices.Equal(reported, []string{"torn", "other", "unreadable"}) {
		t.Errorf("reported: %v", reported)
	}
	if b, err := lenient.Load(ctx, "torn"); string(b) != `{"sent":3,` || err != nil {
		t.Errorf("its owner is given %q, %v", b, err)
	}
	if err := UpdateState(ctx, lenient, "torn", false, func(v *Tally) error { v.Sent++; return nil }); err != nil || string(kept["torn"]) != `{"sent":1,"deferred":0,"returned":0,"failed":0}` {
		t.Errorf("made anew it is %s, %v", kept["torn"], err)
	}
}

// TestWhoseItWas: what is kept under a server's place is of the server that had it then.
func TestWhoseItWas(t *testing.T) {
	test := TestResult{Host: "mail.example.org", Port: 587}
	for _, c := range []struct {
		host string
		port int
		want bool
	}{{"mail.example.org", 587, true}, {"MAIL.example.org", 587, true}, {"mail.example.org", 465, false}, {"backup.example.org", 587, false}} {
		if test.Of(c.host, c.port, "") != c.want {
			t.Errorf("%+v", c)
		}
	}
	pause := Health{Last: Outcome{Reply: Reply{Host: "mail.example.org"}}}
	if !pause.Of("Mail.example.org") || pause.Of("backup.example.org") {
		t.Error("pause")
	}
	if !(&TestResult{}).Of("a.example", 25, "") || !(&Health{}).Of("a.example") {
		t.Error("what is unknown is not shown")
	}
}
