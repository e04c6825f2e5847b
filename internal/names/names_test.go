package names

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, good := range []string{"a", "0", "prod", "db-1", "a.b_c-d", "weir2", "x..y", strings.Repeat("z", Max)} {
		if err := Check(good); err != nil {
			t.Errorf("Check(%q) = %v, want nil", good, err)
		}
	}
	for _, bad := range []string{
		"", "weir", ".", "..", ".weir", "-x", "_x", "A", "Prod", "a b", "a/b", "a\\b", "a\x00", "a\n", "ä", "a\xff",
		strings.Repeat("z", Max+1),
	} {
		if err := Check(bad); !errors.Is(err, ErrName) {
			t.Errorf("Check(%q) = %v, want ErrName", bad, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("prod")
	f.Add("..")
	f.Add("a/b")
	f.Fuzz(func(t *testing.T, name string) {
		if Check(name) != nil {
			return
		}
		if len(name) > Max || filepath.Base(name) != name || !filepath.IsLocal(name) || name[0] == '.' || name[0] == '-' {
			t.Errorf("Check lets %q pass", name)
		}
	})
}
