package vault

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sparseShot is a snapshot of one file with a hole in its middle.
func (g *store) sparseShot() (s *shot, hole [2]int64) {
	s, hole = g.shot(1, 5<<20), [2]int64{1 << 20, 3 << 20}
	f := s.files[0].content
	clear(f[hole[0] : hole[0]+hole[1]])
	g.seal(s)
	return s, hole
}

// sparsePass sends what a sender sends of that file: its data, and its end with the hole.
func (g *store) sparsePass(s *shot, hole [2]int64, upTo int64) {
	f, end := s.files[0], hole[0]+hole[1]
	g.v.WriteRange(s.Snapshot, f.id, 0, f.content[:hole[0]])
	g.v.EndObject(s.Snapshot, f.id, int64(len(f.content)), sha256.Sum256(f.content), [][2]int64{hole})
	g.v.WriteRange(s.Snapshot, f.id, end, f.content[end:upTo])
}

// TestHolesComeAgain loses a hole: a sync fails after it was noted, or the disk does not
// read back what lies beside it. No pass ever sends the bytes of a hole, only that it
// is one.
func TestHolesComeAgain(t *testing.T) {
	for name, lose := range map[string]func(g *store, o *object){
		"failed sync": func(g *store, _ *object) { g.v.Settle(true) },
		"unreadable": func(g *store, o *object) {
			o.frontier = 1<<20 + 5
			g.v.giveUp(o, unix.EIO)
			o.hashAnew()
		},
	} {
		for _, restart := range []bool{false, true} {
			g := newStore(t)
			d, fails := realDisk(), false
			d.sync = func(f *os.File) error {
				if fails && strings.Contains(f.Name(), "incoming") && len(filepath.Base(f.Name())) == 32 {
					return unix.EIO
				}
				return f.Sync()
			}
			g.reopen(d)
			s, hole := g.sparseShot()
			g.v.WriteRange(s.Snapshot, s.files[0].id, 0, s.files[0].content[:hole[0]])
			g.v.WriteRange(s.Snapshot, s.files[0].id, 4<<20+5, s.files[0].content[4<<20+5:4<<20+9])
			g.v.Settle(true) // so much is safe
			g.sparsePass(s, hole, 5<<20-1)
			o := g.v.open[key{"prod", s.files[0].id}]
			fails = name == "failed sync"
			if lose(g, o); o.held.holds(hole[0], hole[0]+hole[1]) {
				t.Fatalf("%s: nothing was lost", name)
			}
			if fails = false; restart {
				g.reopen(realDisk())
			}
			g.sparsePass(s, hole, 5<<20)
			g.finish(s)
			if g.state(s) != Whole {
				t.Errorf("%s, restart %v: after another pass it is %q, and lacks %v", name, restart, g.state(s),
					lacksOf(g.v.layout, key{"prod", s.files[0].id}, 5<<20))
			}
			g.verify()
		}
	}
}
