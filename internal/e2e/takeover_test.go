package e2e

import (
	"path/filepath"
	"testing"
	"time"
)

// TestScrubGivesWayToReceiver starts a receiver while a scrub without one would
// hold the vault for a minute: it starts at once, and the scrub goes on in it.
func TestScrubGivesWayToReceiver(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.gigabit("prod", g.listen)
	g.startReceiver()
	src := g.tree("src", 2_000_000, 3)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	g.stop(g.recv)
	scrub := g.start(filepath.Join(bin, "weir-vault"), "scrub", "--all", "--rate", "500kB", "--config", g.path("receiver.toml"))
	time.Sleep(time.Second)
	begun := time.Now()
	g.startReceiver()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the receiver started after %v", took)
	}
	g.push("prod", "etc", 0, src)
	g.waitWhole(2)
	if code := g.ended(scrub); code != 0 {
		t.Fatalf("the scrub ended with %d: %s", code, scrub.log())
	}
	g.waitLog(g.recv, `"event":"scrub-ended"`)
}
