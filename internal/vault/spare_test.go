package vault

import (
	"os"
	"path/filepath"
	"testing"
)

// TestScrubMakesSecondCopies loses and spoils what the vault has of a manifest beside
// the restore point. The scrub makes it anew, and it is of use then.
func TestScrubMakesSecondCopies(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"gone":         os.RemoveAll,
		"no signature": func(dir string) error { return os.Remove(filepath.Join(dir, sigFile)) },
		"bad": func(dir string) error {
			os.Chmod(filepath.Join(dir, packed), 0o644)
			return os.WriteFile(filepath.Join(dir, packed), []byte("nonsense"), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			s := g.shot(1, 100, 5000)
			g.send(s)
			if !g.v.spareSound(s.Snapshot) {
				t.Fatal("the second copy is not good from the start")
			}
			if err := spoil(g.v.spare(s.Snapshot)); err != nil {
				t.Fatal(err)
			}
			g.scrubbed()
			if !g.v.spareSound(s.Snapshot) {
				t.Fatal("the second copy was not made anew")
			}
			own := filepath.Join(g.v.point(s.Snapshot), manifestFile)
			if err := os.Remove(own); err != nil {
				t.Fatal(err)
			}
			g.scrubbed()
			if g.state(s) != Whole {
				t.Fatalf("with its own manifest lost it is %q", g.state(s))
			}
			g.verify()
		})
	}
}
