package main

import (
	"errors"
	"time"

	"notices/config"
)

// duration is an option that reads what notices.toml calls a duration.
type duration time.Duration

func (d *duration) Set(s string) error {
	v, ok := config.ParseDuration(s)
	if !ok {
		return errors.New("a duration is a number with s, m, h or d, like 90s or 4h, or 0")
	}
	*d = duration(v)
	return nil
}

func (d *duration) String() string { return time.Duration(*d).String() }
func (d *duration) Type() string   { return "DURATION" }

// optional is a text option that tells "not given" from "given, and empty".
type optional struct{ value *string }

func (o *optional) Set(s string) error {
	o.value = &s
	return nil
}

func (o *optional) String() string { return "" }
func (o *optional) Type() string   { return "string" }
