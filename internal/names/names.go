// Package names holds the one rule for names of senders and sources. They
// become folder names in the vault and travel on the wire, so the rule is
// narrow: no name can leave its folder, hide, or stand for an option.
package names

import (
	"errors"
	"fmt"
)

// Max is the longest name in bytes.
const Max = 64

// Reserved is the one well-formed name that nobody may carry: the vault's own
// folder is ".weir", and a neighbour called "weir" would be taken for it.
const Reserved = "weir"

// ErrName is what every error of Check wraps.
var ErrName = errors.New("not a valid name")

// Check returns nil if name may name a sender or a source: 1 to 64 bytes of
// a-z, 0-9, '.', '_' and '-', the first a letter or a digit, and not "weir".
func Check(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > Max:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrName, len(name), Max)
	case name == Reserved:
		return fmt.Errorf("%w: %q is the vault's own", ErrName, name)
	case !letter(name[0]):
		return fmt.Errorf("%w: %q must begin with a-z or 0-9", ErrName, name)
	}
	for i := range len(name) {
		if c := name[i]; !letter(c) && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("%w: %q has the character %q, only a-z 0-9 . _ - are allowed", ErrName, name, c)
		}
	}
	return nil
}

func letter(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}
