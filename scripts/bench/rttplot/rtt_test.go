package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const head = "case\tvariant\tsubject\trepetition\tmessages\twall_s\tcpu_s\tpss_mb\trss_mb\tsessions\tconnections\tmedian_ms\tp99_ms\ttransactions\n"

// raw is made up.
var raw = head +
	"deliver\trtt0\tpostfix\t1\t3000\t1.5\t1\t1\t1\t20\t20\t-\t-\t-\n" +
	"deliver\trtt0\tnotices\t1\t3000\t0.5\t1\t1\t1\t20\t18\t-\t-\t-\n" +
	"deliver\tinstant\tnotices\t1\t7\t1\t1\t1\t1\t1\t1\t-\t-\t-\n" +
	"enqueue\tp1\tnotices\t1\t7\t1\t1\t1\t1\t1\t1\t-\t-\t-\n" +
	"deliver\trtt100\tpostfix\t1\t0\t5\t1\t1\t1\t20\t20\t-\t-\t-\n" +
	"deliver\trtt100\tnotices\t1\t1000\t5\t1\t1\t1\t20\t20\t-\t-\t-\n" +
	"deliver\trtt0\tnotices\t2\t3000\t1\t1\t1\t1\t20\t-\t-\t-\t-\n" +
	"deliver\trtt0\tnotices\t3\t3000\t0.75\t1\t1\t1\t20\t20\t-\t-\t-\n" +
	"deliver\trtt100\tnotices\t2\t2000\t5\t1\t1\t1\t20\t20\t-\t-\t-\n"

func TestMedians(t *testing.T) {
	runs, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := []rate{
		{"postfix", 0, 2000, 20, 1},
		{"postfix", 100, 0, 20, 1},
		{"notices", 0, 4000, 20, 3},
		{"notices", 100, 300, 20, 2}, // of two, what is between them
	}
	list := medians(runs)
	if !reflect.DeepEqual(list, want) {
		t.Errorf("got %+v", list)
	}
	if again, err := readTable(table(list)); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("read again: %+v, %v", again, err)
	}
}

func TestNoRates(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "nothing": head, "no round-trip time": head + "deliver\tinstant\tnotices\t1\t7\t1\n",
		"no number": head + "deliver\trtt5\tnotices\t1\tmany\t1\n", "short": head + "deliver\trtt5\tnotices\n",
		"no time": head + "deliver\trtt5\tnotices\t1\t5\t0\n",
	} {
		if list, err := parse(text); err == nil {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// TestWords: who cannot see the picture is told what it shows, and a program that
// delivered nothing at a round-trip time has no point there.
func TestWords(t *testing.T) {
	runs, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	svg := string(picture(medians(runs)))
	if want := "Postfix: 2,000 at 0. notices: 4,000 at 0, 300 at 100."; !strings.Contains(svg, want) {
		t.Errorf("%q is not in\n%s", want, svg)
	}
}

// TestPicture: man/rtt.svg, once there is a measurement to keep, is that of rtt.tsv.
func TestPicture(t *testing.T) {
	text, err := os.ReadFile("../rtt.tsv")
	kept, err2 := os.ReadFile(filepath.Join("../../..", "man", "rtt.svg"))
	if errors.Is(err, fs.ErrNotExist) && errors.Is(err2, fs.ErrNotExist) {
		return
	}
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	list, err := readTable(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(picture(list), kept) {
		t.Error("man/rtt.svg is not the picture of scripts/bench/rtt.tsv; scripts/bench/rtt -s writes both")
	}
}
