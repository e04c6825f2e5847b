package restore

import (
	"testing"

	"weir/internal/manifest"
)

// FuzzSelection: patterns of an operator never end a restore in a panic, and what
// lies below a selected folder is selected.
func FuzzSelection(f *testing.F) {
	f.Add("etc/*.conf", "etc/a.conf")
	f.Add("./a/", "a/b")
	f.Add("[", "[")
	f.Add("{a,b}/**", "a/c")
	f.Fuzz(func(t *testing.T, text, path string) {
		s, err := newSelection([]string{text})
		if err != nil || manifest.CheckPath(path) != nil {
			return
		}
		if s.has(path) && !s.has(path+"/x") {
			t.Errorf("%q selects %q and not what is in it", text, path)
		}
		if n := s.unmatched(); (n == nil) != s.patterns[0].matched {
			t.Errorf("%q: %v", text, n)
		}
		s.restart()
	})
}
