package config

import "fmt"

// CheckName returns an error that says how a name of a sender or source is
// written, unless s is one.
func CheckName(s string) error {
	ok := len(s) >= 1 && len(s) <= 64 && s != "weir"
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		ok = ok && (letter || i > 0 && (c == '.' || c == '_' || c == '-'))
	}
	if !ok {
		return fmt.Errorf("%q is no name: write 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit, and not \"weir\"", s)
	}
	return nil
}
