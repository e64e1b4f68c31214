package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// duration is an option that reads what notices.toml calls a duration.
type duration time.Duration

func (d *duration) Set(s string) error {
	v, ok := parseDuration(s)
	if !ok {
		return errors.New("a duration is a number with s, m, h or d, like 90s or 4h, or 0")
	}
	*d = duration(v)
	return nil
}

func (d *duration) String() string { return time.Duration(*d).String() }
func (d *duration) Type() string   { return "DURATION" }

func parseDuration(s string) (time.Duration, bool) {
	if s == "0" {
		return 0, true
	}
	if s == "" || strings.Trim(s[:len(s)-1], "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s[:len(s)-1], 64)
	switch s[len(s)-1] {
	case 's':
		n *= float64(time.Second)
	case 'm':
		n *= float64(time.Minute)
	case 'h':
		n *= float64(time.Hour)
	case 'd':
		n *= float64(24 * time.Hour)
	default:
		return 0, false
	}
	return time.Duration(math.Round(n)), err == nil && n < float64(100*365*24*time.Hour)
}

// optional is a text option that tells "not given" from "given, and empty".
type optional struct{ value *string }

func (o *optional) Set(s string) error {
	o.value = &s
	return nil
}

func (o *optional) String() string { return "" }
func (o *optional) Type() string   { return "string" }
