package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is a rate on the wire in bits a second, written "900Mbit".
type Rate uint64

// Size is an amount in bytes, written "512MiB".
type Size int64

// Duration is a time of zero or more, written "25ms", "1h" or "7d".
type Duration time.Duration

// Percent is a share in percent, written "10%": 10.0, not 0.1.
type Percent float64

// Space is an amount of disk space: bytes ("1GiB"), or a share of the file
// system ("5%"). Only one of the two is set.
type Space struct {
	Size    Size
	Percent Percent
}

// A unit is one suffix and what one of it is worth.
type unit struct {
	name  string
	worth float64
}

var rateUnits = []unit{{"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}

var sizeUnits = []unit{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// parse reads a number and its unit. Case counts where it tells bits from
// bytes apart, so it counts everywhere.
func parse(text string, units []unit, limit float64, example string) (float64, error) {
	at := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if at < 0 {
		return 0, fmt.Errorf("%q has no unit, write it like %q", text, example)
	}
	n, err := strconv.ParseFloat(text[:at], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no amount, write it like %q", text, example)
	}
	name := strings.TrimSpace(text[at:])
	for _, u := range units {
		if name != u.name {
			continue
		}
		if n*u.worth > limit {
			return 0, fmt.Errorf("%q is too large", text)
		}
		return n * u.worth, nil
	}
	return 0, fmt.Errorf("%q has an unknown unit %q, write one of %s, like %q", text, name, unitNames(units), example)
}

func unitNames(units []unit) string {
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.name
	}
	return strings.Join(names, ", ")
}

// write renders n in the largest unit in which it is a whole number.
func write(n uint64, units []unit) string {
	for _, u := range units {
		if worth := uint64(u.worth); n >= worth && n%worth == 0 {
			return strconv.FormatUint(n/worth, 10) + u.name
		}
	}
	return "0" + units[len(units)-1].name
}

// UnmarshalText reads "900Mbit", "2.5Gbit" or "64kbit"; "/s" may follow.
func (r *Rate) UnmarshalText(text []byte) error {
	n, err := parse(strings.TrimSuffix(string(text), "/s"), rateUnits, math.MaxInt64/2, "900Mbit")
	if err != nil {
		return err
	}
	*r = Rate(math.Round(n))
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns the rate in its largest whole unit.
func (r Rate) String() string { return write(uint64(r), rateUnits) }

// UnmarshalText reads "512MiB", "1.5GiB" or "20GB"; the unit is needed.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := parse(string(text), sizeUnits, math.MaxInt64/2, "512MiB")
	if err != nil {
		return err
	}
	*s = Size(math.Round(n))
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size in its largest whole unit.
func (s Size) String() string { return write(uint64(max(s, 0)), sizeUnits) }

// UnmarshalText reads what time.ParseDuration reads, and whole days: "7d".
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is no time, write it like %q", s, "7d")
		}
		*d = Duration(n) * Duration(24*time.Hour)
		return nil
	}
	n, err := time.ParseDuration(s)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no time, write it like %q, %q, %q or %q", s, "25ms", "10s", "1h", "7d")
	}
	*d = Duration(n)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the time without the zero minutes and seconds of
// time.Duration's form.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// UnmarshalText reads "10%" or "2.5%".
func (p *Percent) UnmarshalText(text []byte) error {
	n, err := parse(string(text), []unit{{"%", 1}}, 1e6, "10%")
	if err != nil {
		return err
	}
	*p = Percent(n)
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String returns the share with its sign, "10%".
func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) + "%" }

// Fraction returns the share of one: 0.1 for "10%".
func (p Percent) Fraction() float64 { return float64(p) / 100 }

// UnmarshalText reads a size ("1GiB") or a share up to 100 % ("5%").
func (s *Space) UnmarshalText(text []byte) error {
	*s = Space{}
	if !strings.HasSuffix(string(text), "%") {
		return s.Size.UnmarshalText(text)
	}
	if err := s.Percent.UnmarshalText(text); err != nil {
		return err
	}
	if s.Percent > 100 {
		return fmt.Errorf("%q is more than all of it, write at most %q", text, "100%")
	}
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (s Space) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size or the share.
func (s Space) String() string {
	if s.Percent > 0 {
		return s.Percent.String()
	}
	return s.Size.String()
}

// Of returns the space in bytes on a file system of total bytes.
func (s Space) Of(total int64) int64 {
	return int64(s.Size) + int64(s.Percent.Fraction()*float64(total))
}
