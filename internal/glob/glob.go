// Package glob holds what patterns of paths in a snapshot may look like. Paths there
// have no slash at either end, so that a pattern with one matches nothing, and what
// somebody meant to leave out would be sent.
package glob

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// ErrGlob is what every error of Check wraps.
var ErrGlob = errors.New("not a pattern of paths in a snapshot")

// Check returns nil if a pattern of doublestar can match a path that begins at the
// root of the snapshot.
func Check(pattern string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%q is %w: "+format, append([]any{pattern, ErrGlob}, args...)...)
	}
	switch bare := strings.Trim(pattern, "/"); {
	case bare == "":
		return bad("it is empty")
	case pattern[0] == '/':
		return bad("paths begin at the root of the snapshot, write it like %q, without the slash and what leads to the root", bare)
	case pattern != bare:
		return bad("write %q, which matches the directory and so all that is in it", bare)
	case !doublestar.ValidatePattern(pattern):
		return bad("write it like %q", "**/*.tmp")
	}
	for part := range strings.SplitSeq(pattern, "/") {
		if part == "" || part == "." || part == ".." {
			return bad("no path has an empty name, \".\" or \"..\" in it")
		}
	}
	return nil
}
