package vault

import (
	"os"
	"path/filepath"
	"testing"
)

// TestStrayFiles: what somebody put among the vault's own files keeps no vault from
// being opened, after a crash or for a rebuilding of its catalog.
func TestStrayFiles(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 2<<20)
	g.send(s)
	g.unfinished(g.shot(2, 100, 2<<20))
	g.kill()
	for _, dir := range []string{"objects", "objects/prod", "incoming", "incoming/prod", "pending", "pending/prod", "pending/prod/etc", "staging", "trash", "locks", "marks", "history"} {
		if err := os.MkdirAll(g.v.own(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(g.v.own(dir), "stray"), []byte("?"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g.open()
	if g.state(s) != Whole {
		t.Fatalf("it is %q", g.state(s))
	}
	g.kill()
	if err := os.Remove(g.v.own("catalog.db")); err != nil {
		t.Fatal(err)
	}
	g.open()
	g.verify()
}
