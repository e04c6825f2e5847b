package vault

import (
	"os"
	"testing"
)

// TestScrubThatFailsSaysSo: whoever waits for a scrub that cannot go on hears of it,
// and does not wait for ever.
func TestScrubThatFailsSaysSo(t *testing.T) {
	g := newStore(t)
	g.series(2)
	g.close()
	// The scrub ends at the event log, which cannot be read any more then.
	opt := g.options()
	opt.Point = func(name string) {
		if name == "scrub-begun" {
			os.Remove(g.v.own(eventsFile))
			os.Mkdir(g.v.own(eventsFile), 0o700)
		}
	}
	err := Ask(t.Context(), g.dir, opt, Request{Action: ActionScrub, Detail: []byte("{}")}, nil)
	if err == nil {
		t.Error("the scrub failed, and nobody says so")
	}
	s, err := ReadScrub(g.dir)
	if err != nil || !s.Running || s.Failed == "" {
		t.Errorf("its state: %+v, %v", s, err)
	}
}
