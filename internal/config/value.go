package config

import (
	"cmp"
	"fmt"
	"net/netip"

	"weir/internal/names"
)

// The levels and formats of the log, as the configuration names them.
var (
	logLevels  = []string{"debug", "info", "warn", "error"}
	logFormats = []string{"auto", "json", "console"}
)

// label reads the name of a sender or source.
func (t *table) label(key string, into *string) {
	t.str(key, into)
	if _, ok := t.values[key].(string); !ok {
		return
	}
	if err := names.Check(*into); err != nil {
		t.problem(key, "%v", err)
	}
}

// path reads a path that may not be empty.
func (t *table) path(key string, into *string) {
	t.str(key, into)
	if *into == "" {
		t.problem(key, "it is empty, write a path or leave the line out")
	}
}

// readAddress reads "ADDRESS:PORT". Host names are refused: one-way links have
// no name service, and an answer from somewhere else must not move the target.
func readAddress(t *table, key string, into *netip.AddrPort) {
	var s string
	t.str(key, &s)
	if _, ok := t.values[key].(string); !ok {
		return
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 {
		t.problem(key, "%q is no address with a port, write it like %q or %q (no host names)", s, "10.77.0.2:4600", "[fd00::2]:4600")
		return
	}
	*into = a
}

func readLog(t *table, level, format *string) {
	t.choice("log_level", level, logLevels...)
	t.choice("log_format", format, logFormats...)
}

// within complains about a value outside of its limits.
func within[T interface {
	cmp.Ordered
	fmt.Stringer
}](t *table, key string, v, least, most T) {
	switch {
	case v < least:
		t.problem(key, "%s is too small, write at least %q", v, least.String())
	case v > most:
		t.problem(key, "%s is too large, write at most %q", v, most.String())
	}
}
