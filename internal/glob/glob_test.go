package glob

import (
	"errors"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, good := range []string{"x", "*.swp", "cache/**", "**/*.tmp", "a b/[ab]?", "{a,b}/c", ".git", "...", "x/.y"} {
		if err := Check(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "/", "/etc/ssl/**", "cache/", "./x", "x/./y", "../x", "a//b", "[", "a/["} {
		if err := Check(bad); !errors.Is(err, ErrGlob) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
