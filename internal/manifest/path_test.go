package manifest

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheckPath(t *testing.T) {
	long := strings.Repeat("x", MaxComponent)
	for _, good := range []string{
		"a", "a/b", ".a", "...", "a..", "..a/b", " ", "-", "a\nb", "\xff/\xfe", "a\\b", "a\x01", "~", long, long + "/" + long,
		strings.Repeat("a/", MaxPath/2-1) + "a",
	} {
		if err := CheckPath(good); err != nil {
			t.Errorf("CheckPath(%.50q) = %v, want nil", good, err)
		}
	}
	for _, bad := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/..", "../a", "a/../b", "a/./b", "\x00", "a/b\x00c",
		long + "x", "a/" + long + "x", strings.Repeat("a/", MaxPath/2) + "a",
	} {
		if err := CheckPath(bad); !errors.Is(err, ErrPath) {
			t.Errorf("CheckPath(%.50q) = %v, want ErrPath", bad, err)
		}
	}
}

func TestComparePathIsTheWalk(t *testing.T) {
	walk := []string{"a", "a/\x01", "a/b", "a/b/c", "a/b ", "a/b-c", "a\x01", "a ", "a b", "a-", "a-/x", "a.b", "aa", "b", "\xff"}
	for i := range walk {
		for j := range walk {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := ComparePath(walk[i], walk[j]); got != want {
				t.Errorf("ComparePath(%q, %q) = %d, want %d", walk[i], walk[j], got, want)
			}
		}
	}
}

func FuzzCheckPath(f *testing.F) {
	for _, p := range []string{"a/b", "../a", "a//b", "a/./b", "\xff", "a\x00", "-"} {
		f.Add(p, "a/c")
	}
	f.Fuzz(func(t *testing.T, p, q string) {
		if ComparePath(p, q) != -ComparePath(q, p) || (ComparePath(p, q) == 0) != (p == q) {
			t.Errorf("the order of %q and %q depends on which comes first", p, q)
		}
		if CheckPath(p) != nil {
			return
		}
		parts := strings.Split(p, "/")
		if !filepath.IsLocal(p) || filepath.Clean(p) != p || strings.Contains(p, "\x00") || slices.Contains(parts, "") {
			t.Errorf("CheckPath lets %q pass", p)
		}
		if CheckPath(q) == nil {
			if want := slices.Compare(parts, strings.Split(q, "/")); ComparePath(p, q) != want {
				t.Errorf("ComparePath(%q, %q) = %d, a walk says %d", p, q, -want, want)
			}
		}
	})
}
