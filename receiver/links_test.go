package receiver

import "testing"

// TestLinksAddUpOverSessions: what a session counted is not lost with it, and the
// longest burst is told once.
func TestLinksAddUpOverSessions(t *testing.T) {
	g := newRig(t)
	// pass sends a block of which a run of frames is lost, and settles it.
	pass := func(id byte, lost int) {
		f := g.frames(rigGeometry, g.data(id, 0, content(room(), id)))
		g.send(f[:3])
		g.send(f[3+lost:])
		g.tick(blockIdle)
		g.tick(lossEvery)
	}
	take := func() SenderLink {
		t.Helper()
		all := g.r.TakeLinks()
		if len(all) != 1 || all[0].Sender != "prod" {
			t.Fatalf("%+v", all)
		}
		return all[0]
	}
	pass(1, 2)
	if l := take(); l.Lost != 2 || l.Longest != 2 || l.Bursts[1] != 1 || l.Params.Geometry != rigGeometry {
		t.Errorf("one session: %+v", l)
	}
	if l := take(); l.Lost != 2 || l.Longest != 0 {
		t.Errorf("taken again: %+v", l)
	}
	for counter := range uint64(3) { // each replaces the oldest
		g.tick(20 * blockIdle)
		g.session(counter + 10)
		pass(byte(counter+2), 1)
	}
	if l := take(); l.Lost != 5 || l.Longest != 1 || l.Bursts[0] != 3 || l.Params.Counter != 12 {
		t.Errorf("four sessions: %+v", l)
	}
	g.close()
}
