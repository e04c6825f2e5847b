package config

import (
	"strings"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	good := map[string]Rate{
		"900Mbit": 900e6, "1Gbit": 1e9, "2.5Gbit": 2.5e9, "64kbit": 64e3, "1Gbit/s": 1e9, "12 Mbit": 12e6, "1500000bit": 1.5e6, "0Mbit": 0,
	}
	for text, want := range good {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%q: %d, %v; want %d", text, r, err, want)
		}
	}
	for _, text := range []string{"", "900", "900MB", "900Mb", "900mbit", "Mbit", "-1Mbit", "1e3Mbit", "1..2Mbit", "99999999999999999Gbit", "NaNMbit", "0x10Mbit", "١Mbit"} {
		var r Rate
		err := r.UnmarshalText([]byte(text))
		if err == nil {
			t.Errorf("%q is taken for %v", text, r)
		} else if !strings.Contains(err.Error(), "900Mbit") && !strings.Contains(err.Error(), "too large") {
			t.Errorf("%q: %v does not say what to write", text, err)
		}
	}
}

func TestSize(t *testing.T) {
	good := map[string]Size{"512MiB": 512 << 20, "1GB": 1e9, "0B": 0, "1.5KiB": 1536, "2TiB": 2 << 40}
	for text, want := range good {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q: %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "512", "512M", "512mib", "1PiB", "-1B", "9999999999TiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %v", text, s)
		}
	}
}

func TestDuration(t *testing.T) {
	good := map[string]time.Duration{"25ms": 25 * time.Millisecond, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "0s": 0, "1.5s": 1500 * time.Millisecond}
	for text, want := range good {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%q: %v, %v; want %v", text, d, err, want)
		}
	}
	for _, text := range []string{"", "25", "-1s", "1.5d", "d", "99999999d", "1w", "300000h300000h3000000h"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %v", text, d)
		}
	}
}

func TestPercentAndSpace(t *testing.T) {
	var p Percent
	if err := p.UnmarshalText([]byte("2.5%")); err != nil || p != 2.5 || p.Fraction() != 0.025 {
		t.Errorf("2.5%%: %v, %v", p, err)
	}
	for _, text := range []string{"", "10", "%", "-1%", "10 percent"} {
		if err := p.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %v", text, p)
		}
	}
	var s Space
	if err := s.UnmarshalText([]byte("5%")); err != nil || s.Of(1000) != 50 {
		t.Errorf("5%% of 1000 is %d, %v", s.Of(1000), err)
	}
	if err := s.UnmarshalText([]byte("1KiB")); err != nil || s.Of(1000) != 1024 {
		t.Errorf("1KiB of 1000 is %d, %v", s.Of(1000), err)
	}
	if err := s.UnmarshalText([]byte("101%")); err == nil {
		t.Error("101% of a disk is taken")
	}
}

func TestUnitsRoundTrip(t *testing.T) {
	for _, text := range []string{"900Mbit", "2500Mbit", "1Gbit", "1bit", "0bit"} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r.String() != text {
			t.Errorf("%q becomes %q, %v", text, r, err)
		}
	}
	for _, text := range []string{"512MiB", "1GB", "1536B", "0B", "20GiB"} {
		var s Space
		if err := s.UnmarshalText([]byte(text)); err != nil || s.String() != text {
			t.Errorf("%q becomes %q, %v", text, s, err)
		}
	}
	for _, text := range []string{"25ms", "10s", "1h", "24h", "1m30s", "10m", "1h0m5s"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != text {
			t.Errorf("%q becomes %q, %v", text, d, err)
		}
	}
}
