package vault

import (
	"path/filepath"
	"testing"
)

// TestHealedWhileScrubbed: what a scrub found wrong has been put right before it is
// acted on. The good object that stands there now must not count as damaged.
func TestHealedWhileScrubbed(t *testing.T) {
	g := newStore(t)
	s := g.series(2)[0]
	k := key{"prod", s.files[1].id}
	at := pathID(filepath.Join(g.v.point(s.Snapshot), dataDir, "fb"))
	for name, c := range map[string]struct {
		f        Finding
		outdated bool
	}{
		"another file was read": {Finding{at: fileID{at.dev, at.ino + 1}}, true},
		"it was gone":           {Finding{gone: true}, true},
		"it is what was read":   {Finding{at: at}, false},
		"it could not be read":  {Finding{}, false},
	} {
		c.f.Path, c.f.object, c.f.What = "fb", k.id, name
		if c.f.outdated(at) != c.outdated {
			t.Errorf("%s: outdated is %v", name, !c.outdated)
		}
		if !c.outdated {
			continue
		}
		if err := g.v.pointFound(s.Snapshot, c.f); err != nil {
			t.Fatal(err)
		}
		if _, ok := g.v.catalog.get(k); !ok || len(g.v.damage) > 0 {
			t.Fatalf("%s, and the object that is good counts as damaged", name)
		}
	}
	if err := g.v.pointFound(s.Snapshot, Finding{Path: "fb", object: k.id, What: "a bit", at: at}); err != nil {
		t.Fatal(err)
	}
	if _, ok := g.v.catalog.get(k); ok || g.v.damage[k] == nil {
		t.Error("the object that was read and is damaged does not count as such")
	}
}
